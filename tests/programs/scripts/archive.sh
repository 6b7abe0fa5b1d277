# SPDX-License-Identifier: Apache-2.0
# tar and gzip there and back.
cd /usr/include && tar cf "$OLDPWD/a.tar" linux c++ && cd "$OLDPWD" || exit 1
tar tf a.tar | wc -l
gzip -c a.tar | gunzip | cmp - a.tar && echo equal
gzip -1 -k a.tar && gzip -t a.tar.gz && echo intact
mkdir out piped
tar xzf a.tar.gz -C out
diff -r /usr/include/linux out/linux && diff -r /usr/include/c++ out/c++ && echo same
(cd out && tar c .) | (cd piped && tar x)
diff -r out piped && echo piped
dd if=a.tar bs=64k 2>/dev/null | md5sum
rm -r out piped a.tar a.tar.gz
