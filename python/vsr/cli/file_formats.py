"""What stands in the files that commands read, for the end of their help."""

QUERIES = """\
Queries, one JSON object a line:
  query                       The text; required.
  category                    One of fourteen: math, physics, law, ...
  ground_truth                The right answer, text or a number; without it
                              nothing can be scored.
  choices                     Options of a multiple-choice query, a list.
  metric                      Scoring rule: em_mc, gsm8k, math, f1_score,
                              exact_match, contains, code_eval, ...; else it is
                              told by the ground truth.
`vsr-train doctor FILE` checks a file."""

RECORDS = """\
Records, one JSON object a line, one line per query and model:
  query, model_name           The text and the LLM; required.
  performance                 Quality, 0 to 1; where it is missing, response
                              and ground_truth are scored.
  category                    One of fourteen: math, physics, law, ...
  response_time, cost         Seconds and US dollars.
  error                       Why the call failed.
`vsr-train doctor FILE` checks a file."""

JUDGED = """\
What is added to a record:
  judged                      What judges say it is worth, 0 to 1.
  judge, judge_mode           Who said so, and what they were asked.
  judge_verdicts              What each of them said.
  is_judged                   true where performance is what they say: only
                              where nothing else was known of the record.
Criteria for some categories, as YAML: `law: ...`, `default: ...`."""
