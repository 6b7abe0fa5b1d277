# SPDX-License-Identifier: Apache-2.0
# perl with fork, pipes and signals.
perl -e '
pipe(R, W);
if (fork == 0) { close R; print W "child\n"; exit 3 }
close W;
print <R>;
wait;
print $? >> 8, "\n", `echo captured`;
open(P, "| cat"); print P "piped\n"; close P;
open(P, "-|", "seq", 3); print while <P>; close P;
$SIG{ALRM} = sub { die "alarm\n" };
eval { alarm 1; select(undef, undef, undef, 5) };
print $@;
$SIG{CHLD} = sub { $reaped++ while waitpid(-1, 1) > 0 };
for (1 .. 20) { if (fork == 0) { exit 0 } }
select(undef, undef, undef, 0.05) while $reaped < 20;
print "$reaped\n";
use IO::Socket::UNIX;
$l = IO::Socket::UNIX->new(Local => "s", Listen => 1);
if (fork == 0) { $c = IO::Socket::UNIX->new("s"); print $c "hello\n"; print scalar <$c>; exit }
$SIG{CHLD} = "DEFAULT"; $c = $l->accept; print $c uc(<$c>); close $c; wait;
exec "sh", "-c", "exit 9";
'
echo "$?"
