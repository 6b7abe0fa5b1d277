# SPDX-License-Identifier: Apache-2.0
# A tree of 5,000 files: made, copied, compared, moved, removed.
mkdir tree
for i in $(seq 50); do
    mkdir "tree/d$i"
    for j in $(seq 100); do echo "$i $j" > "tree/d$i/f$j"; done
    ln -s "f1" "tree/d$i/link"
    ln "tree/d$i/f2" "tree/d$i/hard"
done
chmod 640 tree/d1/*
touch -d 2001-02-03 tree/d2/f3
chown 12:34 tree/d3/f3
cp -a tree copy
diff -r tree copy && echo same
(cd tree && find . ! -type d -printf '%p %y %m %U %G %s %l %n\n' -o -printf '%p %m %n\n' | sort) > one
(cd copy && find . ! -type d -printf '%p %y %m %U %G %s %l %n\n' -o -printf '%p %m %n\n' | sort) > two
cmp one two && md5sum < one
stat -c %Y copy/d2/f3
stat -c '%u %g' copy/d3/f3
mv copy moved
find moved | wc -l
mv -T moved/d7 moved/renamed
mv moved/d8/f1 moved/d9/f1
cat moved/d9/f1
find moved -name 'f?0' -delete
find moved -type f | wc -l
rm -r tree moved
ls
