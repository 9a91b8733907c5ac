# SPDX-License-Identifier: Apache-2.0
# Whether each warning and error of the sources can be found in the docs: some row of the table
# "What the daemon says" must begin with a part of it, in backticks.
# usage: messages.pl TROUBLESHOOTING.md SOURCE...
use strict;
use warnings;

sub slurp { local $/; open(my $file, '<', $_[0]) or die "$_[0]: $!\n"; return scalar <$file>; }

my ($docs, @sources) = @ARGV;
my @parts = slurp($docs) =~ /^\| `([^`]+)` \|/mg;
my $missing = 0;
for my $source (@sources) {
    my $text = slurp($source);
    while ($text =~ /\b(?:log_error|log_warning|connection_fail|log_message\(LOG_(?:ERR|WARNING))\b([^;]*);/g) {
        my $message = join('', $1 =~ /"((?:[^"\\]|\\.)*)"/g);
        (my $words = $message) =~ s/%[-.*\d]*(?:l|ll|z|h)*[a-zA-Z]//g;
        next if length($words) < 12; # handed through: said elsewhere
        next if grep { index($message, $_) >= 0 } @parts;
        print "$source: $message\n";
        $missing = 1;
    }
}
exit $missing;
