# SPDX-License-Identifier: GPL-3.0-or-later
# An event for the audit trail: a line of JSON in the spool of the day.
package Orthweb::Event;

use strict;
use warnings;
use Fcntl;
use JSON;
use POSIX ();

my $json  = JSON->new->canonical->ascii;
my $count = 0;

sub note {
    my ( $action, $outcome, $address, %more ) = @_;
    my @now  = gmtime;
    my $line = $json->encode(
        {
            time    => POSIX::strftime( '%Y-%m-%dT%H:%M:%S+00:00', @now ),
            door    => 'login',
            action  => $action,
            outcome => $outcome,
            address => $address,
            request => join( '-', $$, time, ++$count ),
            map { $_ => substr $more{$_} // '', 0, 256 } keys %more,
        }
    ) . "\n";
    my $path = POSIX::strftime( '/var/spool/audit/%Y-%m-%d.jsonl', @now );
    my $file;
    my $written = sysopen( $file, $path, O_WRONLY | O_APPEND | O_CREAT, 0644 ) && syswrite( $file, $line ) || 0;
    print STDERR "An event for the audit trail could not be written to $path: $!\n" unless $written == length $line;
}

1;
