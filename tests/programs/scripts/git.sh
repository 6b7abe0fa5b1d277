# SPDX-License-Identifier: Apache-2.0
# A repository from init to fsck.
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
export GIT_AUTHOR_DATE=2020-01-01T00:00:00Z GIT_COMMITTER_DATE=2020-01-01T00:00:00Z GIT_CONFIG_NOSYSTEM=1
git -c init.defaultBranch=main init -q repository
cd repository || exit 1
for i in $(seq 25); do
    echo "$i" > "f$i"
    git add "f$i"
    git commit -qm "commit $i"
done
git log --oneline | md5sum
git checkout -q -b side HEAD~5 && echo side > side && git add side && git commit -qm side
git checkout -q main && git merge -q side -m merge && git log -1 --format=%H
git gc -q
git fsck --full
git status --short | wc -l
git grep -c side
cd .. && git clone -q repository clone && git -C clone log --oneline | wc -l
git -C clone diff --stat HEAD~1 | tail -1
