"""What became of the records on the way to outcomes, in counts and in sentences."""

from dataclasses import dataclass

from vsr.data.categories import UnknownCategory, meant_category


@dataclass(frozen=True)
class OutcomesReport:
    """What became of the records on the way to outcomes, in counts.

    Attributes:
        n_records: records read, those of other models included.
        n_other_models: records of models that were not asked for.
        n_failed: failed calls that count as quality 0 (refusals, overflows of the context, others), time-outs aside.
        n_timeouts: time-outs; quality 0, and the limit as latency where the record has it.
        n_unavailable: failed calls that say nothing about the model; missing.
        n_unscored: records that are marked as unscored or have no ground truth; missing.
        n_scored: records without performance that were scored on the way.
        n_repeats: records beyond the first of a query and model; averaged.
        n_category_conflicts: records whose category differs from the one that their query had first.
        n_bad_lines: lines that were left out.
        unknown_categories: categories that are taken as `other`.
        models_without_quality: models left out because none of their records has a quality.
    """

    n_records: int = 0
    n_other_models: int = 0
    n_failed: int = 0
    n_timeouts: int = 0
    n_unavailable: int = 0
    n_unscored: int = 0
    n_scored: int = 0
    n_repeats: int = 0
    n_category_conflicts: int = 0
    n_bad_lines: int = 0
    unknown_categories: tuple[UnknownCategory, ...] = ()
    models_without_quality: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """Say in sentences what is worth knowing, nothing where all went well."""
        counted = (
            (self.n_bad_lines, "bad lines left out"),
            (self.n_other_models, "records of other models left out"),
            (self.n_failed, "failed calls count as quality 0"),
            (self.n_timeouts, "time-outs count as quality 0 and as the limit in latency where it is known"),
            (self.n_unavailable, "failed calls say nothing about the model (key, name, endpoint) and count as missing"),
            (self.n_unscored, "unscored answers count as missing"),
            (self.n_scored, "answers without performance were scored"),
            (self.n_repeats, "repeated records of a query and model were averaged"),
            (self.n_category_conflicts, "records name another category than the first one of their query, which holds"),
        )
        said = [f"{count:,} {words}" for count, words in counted if count]
        if self.unknown_categories:
            shown = ", ".join(map(_with_meant, self.unknown_categories[:10]))
            more = ", ..." if len(self.unknown_categories) > 10 else ""
            said.append(f"categories taken as other: {shown}{more}")
        if self.models_without_quality:
            said.append(f"models without a single scored answer left out: {', '.join(self.models_without_quality)}")
        return said


def _with_meant(unknown: UnknownCategory) -> str:
    meant = meant_category(unknown.name)
    return f"{unknown.name!r} ({unknown.count:,}{'' if meant is None else f'; did you mean {meant}?'})"
