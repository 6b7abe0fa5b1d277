# SPDX-License-Identifier: Apache-2.0
# Every attribute that ls shows of every file in /usr.
ls -lR /usr/bin /usr/sbin /usr/lib/x86_64-linux-gnu /usr/lib/python3* /usr/share 2>/dev/null | md5sum
stat -c '%n %f %h %u %g %s %Y' /usr/bin/* | md5sum
df / > /dev/null && echo df
du -s --apparent-size /usr/share/doc | cut -f1
