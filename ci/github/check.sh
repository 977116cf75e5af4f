#!/usr/bin/env bash
# The second step of action.yml: `podgate check`, with annotations, a summary of the job, and a SARIF log if asked for.
#
# CHECK_PROGRAM is podgate; the other variables are the action's inputs. Values reach podgate whole: none is split at
# spaces, expanded, or taken for an option.
# Output: `exit-code`, that of podgate, which the step ends with too.
set -euo pipefail

arguments=(check -o github)

# option NAME VALUE: an option for each line of a value that is more than blanks.
option() {
  local line
  while IFS= read -r line; do
    line=${line#"${line%%[![:space:]]*}"}
    line=${line%"${line##*[![:space:]]}"}
    [ -z "$line" ] || arguments+=("$1$line")
  done <<<"$2"
}

option --filename= "$CHECK_FILES"
option --nodes= "$CHECK_NODES"
option --target= "$CHECK_TARGETS"
option --config= "$CHECK_CONFIG"
option --fail-on= "$CHECK_FAIL_ON"
option --report=sarif= "$CHECK_SARIF"
[ "$CHECK_RECURSIVE" != true ] || arguments+=(--recursive)
option '' "$CHECK_ARGS"

table=$RUNNER_TEMP/podgate.txt
rm -f "$table"
code=0
"$CHECK_PROGRAM" "${arguments[@]}" "--report=table=$table" </dev/null || code=$?
echo "exit-code=$code" >>"$GITHUB_OUTPUT"

if [ -s "$table" ]; then
  # A summary may have 1 MiB. What stands in <pre> is text, once the three characters of HTML are written otherwise.
  {
    echo '<pre>'
    head -c 500000 "$table" | sed 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g'
    echo '</pre>'
  } >>"$GITHUB_STEP_SUMMARY"
fi
exit "$code"
