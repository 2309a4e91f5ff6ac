# SPDX-License-Identifier: GPL-3.0-or-later
# PostgreSQL's archive_command: asks the container beside this one, at a socket, to archive a WAL file. It ends with 0 only if that
# says that the file is in each repository; otherwise the server keeps it and asks again. (pgBackRest wants its name in this one.)
use strict;
use warnings;
use IO::Socket::UNIX;

use constant SOCKET => $ENV{BACKUP_SOCKET} // '/run/postgresql/backup.sock';
use constant SECONDS => $ENV{BACKUP_SECONDS} // 100;    # less than a server that is stopped gets

my $name = shift // '';
sub failed { print STDERR "WAL file $name is not archived: @_\n"; exit 1 }

failed("it is not the name of a WAL file") unless $name =~ /\A[0-9A-Za-z.]{1,48}\z/;
$SIG{ALRM} = sub { failed("no answer for " . SECONDS . " seconds (docker logs of the container whose name ends in -backup)") };
$SIG{PIPE} = 'IGNORE';
alarm SECONDS;
my $peer = IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => SOCKET)
    or failed("the container whose name ends in -backup does not answer at " . SOCKET . ": $!");
print {$peer} "push $name\n";
$peer->flush or failed("the question was not taken: $!");
my $answer = <$peer> // '';
exit 0 if $answer eq "archived $name\n";
chomp $answer;
failed($answer eq '' ? 'the connection was closed without an answer' : $answer);
