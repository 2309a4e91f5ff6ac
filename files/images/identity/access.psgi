# SPDX-License-Identifier: GPL-3.0-or-later
# What nginx asks of the database, at a socket: share links, bundles, tokens, sessions. Each path is a function of the schema identity, which takes
# the request's JSON and returns the answer's. Nothing of either is ever written to the log.
use DBI;
use Plack::Request;

my %functions = map { ( "/$_" => $_ ) }
  qw(issue_token make_share list_shares withdraw_share open_share take_bundle list_sessions end_session list_accounts);

sub {
    my $request  = Plack::Request->new(shift);
    my $function = $functions{ $request->path_info } or return [ 404, [], [] ];
    my $answer   = eval {
        my $database = DBI->connect_cached( 'dbi:Pg:service=identity', '', '', { RaiseError => 1, PrintError => 0 } );
        ( $database->selectrow_array( "SELECT identity.$function(?::jsonb)", undef, $request->content ) )[0];
    };
    return [ 200, [ 'Content-Type' => 'application/json' ], [$answer] ] if defined $answer;
    warn "The database did not answer $function: ", DBI->state || 'no connection', "\n";
    return [ 503, [], [] ];
}
