# SPDX-License-Identifier: GPL-3.0-or-later
# Fetches the metadata of OpenID providers into LemonLDAP::NG's configuration: FOLDER/lmConf-N.json, of which it takes the one with the
# highest number within seconds, without a restart. Providers change their addresses, and may be away when the container starts: then
# their choice leads to a page that says so. Keys are fetched by LemonLDAP::NG itself.
#
#   metadata once|forever SOURCE FOLDER
#
# SOURCE has lmConf-1.json, without metadata, and metadata.json: a list of choice, name, issuer and ca (the file of a CA, or empty).
use strict;
use warnings;
use JSON;
use LWP::UserAgent;
use constant { AGAIN => 15, FRESH => 900, ENDPOINTS => [qw(authorization_endpoint token_endpoint jwks_uri)] };

my ( $mode, $source, $folder ) = @ARGV;
my $json    = JSON->new->ascii->canonical;
my $written = '';
my $number  = 0;
my ( %known, %asked, %said );

sub content { open( my $file, '<', $_[0] ) or die "$_[0]: $!\n"; local $/; return <$file> }

# The document, or why there is none.
sub fetch {
    my $provider = shift;
    my $url      = ( $provider->{issuer} =~ s{/$}{}r ) . '/.well-known/openid-configuration';
    my %tls      = ( verify_hostname => 1, $provider->{ca} ? ( SSL_ca_file => $provider->{ca} ) : () );
    my $agent    = LWP::UserAgent->new( timeout => 5, ssl_opts => \%tls, max_size => 1_000_000, protocols_allowed => ['https'] );
    my $answer   = $agent->get($url);
    return ( undef, "$url: " . $answer->status_line =~ s/\s+/ /gr ) unless $answer->is_success;
    my $document = eval { $json->decode( $answer->decoded_content ) };
    return ( undef, "$url is no JSON object" ) unless ref $document eq 'HASH';
    return ( undef, "$url is that of the issuer " . ( $document->{issuer} // '(none)' ) )
      unless ( $document->{issuer} // '' ) eq $provider->{issuer};
    my @wrong = grep { ( $document->{$_} // '' ) !~ m{^https://[^/]} } @{ +ENDPOINTS };
    return ( undef, "$url has no https address as " . join( ' and ', @wrong ) ) if @wrong;
    return $document;
}

# Leads to a page of nginx, so that nobody waits for a provider that is away.
sub placeholder {
    my $issuer = shift;
    return { issuer => $issuer, authorization_endpoint => '/auth/unavailable', token_endpoint => 'https://localhost:1/' };
}

sub look {
    my $providers = shift;
    for my $provider (@$providers) {
        my $name = $provider->{name};
        next if $asked{$name} && $known{$name} && time < $asked{$name} + FRESH;
        $asked{$name} = time;
        my ( $document, $problem ) = fetch($provider);
        my $changed = ( $problem // '' ) ne ( $said{$name} // '' );
        if ($document) {
            print STDERR "The login provider $name answers again.\n" if $changed;
            print STDERR "The login provider $name has new metadata.\n"
              if $known{$name} && $json->encode( $known{$name} ) ne $json->encode($document);
            $known{$name} = $document;
        }
        elsif ($changed) {
            my $meanwhile = $known{$name} ? 'What it said before is used meanwhile.' : 'Nobody can log in with it.';
            print STDERR "The metadata of the login provider $name cannot be read: $problem. $meanwhile Asked again every "
              . AGAIN . " seconds.\n";
        }
        $said{$name}  = $problem;
        $asked{$name} = 0 if $problem;
    }
}

sub configuration {
    my ($providers) = @_;
    my $made = $json->decode( content("$source/lmConf-1.json") );
    for my $provider (@$providers) {
        my ( $name, $module ) = ( $provider->{name}, \$made->{authChoiceModules}{ $provider->{choice} } );
        my ( $modules, $over ) = $$module =~ /^((?:[^;]*;){5})(.*)$/s or die "$provider->{choice} is no choice\n";
        my $own = $json->decode($over);
        $own->{oidcOPMetaDataJSON}{$name} = $json->encode( $known{$name} // placeholder( $provider->{issuer} ) );
        $own->{oidcOPMetaDataJWKS}{$name} = '{}';
        $$module = $modules . ( $json->encode($own) =~ s/;/\\u003b/gr );
    }
    return $made;
}

# Whole or not at all: LemonLDAP::NG may read at any time.
sub keep {
    my $made = shift;
    $made->{cfgNum} = 0;
    return if $json->encode($made) eq $written;
    $written = $json->encode($made);
    $made->{cfgNum} = ++$number;
    my $file = "$folder/lmConf-$number.json";
    open( my $out, '>', "$file.new" ) or die "$file: $!\n";
    print $out $json->encode($made);
    close($out)                   or die "$file: $!\n";
    rename( "$file.new", $file )  or die "$file: $!\n";
    unlink( "$folder/lmConf-" . ( $number - 2 ) . '.json' ) if $number > 2;
}

umask 0077;
my $providers = $json->decode( content("$source/metadata.json") );
( $number ) = sort { $b <=> $a } map { /lmConf-(\d+)\.json$/ } glob("$folder/lmConf-*.json");
$number //= 0;
while (1) {
    look($providers);
    keep( configuration($providers) );
    last if $mode eq 'once';
    sleep AGAIN;
}
