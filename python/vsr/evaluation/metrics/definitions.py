"""What every metric is: r is the judged selector, B the single model of highest quality, O the oracle."""

from vsr.evaluation.metrics.metric import Definition

_OWN = "this project"
_LLM_ROUTER_BENCH = "LLMRouterBench, arXiv:2601.07206"
_ROUTER_BENCH = "RouterBench, Hu et al. 2024, arXiv:2403.12031"
_ROUTE_LLM = "RouteLLM, Ong et al. 2024, arXiv:2406.18665"
_UNI_ROUTE = "UniRoute, Jitkrittum et al. 2025, arXiv:2502.08773"

QUALITY = Definition("quality", "share", "Q(r) = mean over queries of q[i, r(i)], over all splits.", _OWN)
COST = Definition("cost", "USD per query", "C(r) = mean over queries of c[i, r(i)], over all splits.", _OWN)
LATENCY_P50 = Definition("latency p50", "s", "Median of the measured t[i, r(i)].", _OWN)
LATENCY_P95 = Definition("latency p95", "s", "95th percentile of the measured t[i, r(i)].", _OWN)
GAIN_OVER_BEST_SINGLE = Definition(
    "gain over best single", "points", "100 x mean of (u[i, r(i)] - u[i, best single]), the luck of the pick off.", _OWN
)
GAIN_OVER_STATIC_MIX = Definition(
    "gain over static mix",
    "points",
    "100 x mean of (u[i, r(i)] - u[i, mix]), where the mix draws between the two single models around C(r) on the "
    "hull of (cost, utility), so that it costs what r costs.",
    _OWN,
)
REGRET = Definition("regret", "share", "Q(O) - Q(r), O the best measured quality of every query.", _OWN)
GAP_CLOSED = Definition("gap closed", "share", "(Q(r) - Q(B)) / (Q(O) - Q(B)).", _OWN)
AVG_ACC = Definition("AvgAcc", "share", "Mean over categories d of Acc(r, d).", _LLM_ROUTER_BENCH)
GAIN_AT_R = Definition("Gain@R", "share", "Mean over d of (Acc(r, d) / Acc(random, d) - 1).", _LLM_ROUTER_BENCH)
GAIN_AT_B = Definition("Gain@B", "share", "Mean over d of (Acc(r, d) / Acc(B, d) - 1).", _LLM_ROUTER_BENCH)
GAP_AT_O = Definition("Gap@O", "share", "Mean over d of (1 - Acc(r, d) / Acc(O, d)).", _LLM_ROUTER_BENCH)
PERF_GAIN = Definition(
    "PerfGain",
    "share",
    "Highest quality over the sweep of the objective / Q(B) - 1; the point is picked on the same queries.",
    _LLM_ROUTER_BENCH,
)
COST_SAVE = Definition(
    "CostSave",
    "share",
    "1 - C / C(B), C the cost of the cheapest point of the sweep with quality Q(B) or more; it is picked on the same "
    "queries.",
    _LLM_ROUTER_BENCH,
)
AIQ = Definition(
    "AIQ",
    "share",
    "Area under the non-decreasing convex hull of (cost, quality) over the sweep / cost range; the range is shared by "
    "all methods, left of the hull a line leads to it from (0, 0).",
    _ROUTER_BENCH,
)
APGR = Definition(
    "APGR",
    "share",
    "Integral over the share s of strong calls of (Q(s) - Q(weak)) / (Q(strong) - Q(weak)), the strong model first "
    "where it is predicted to be ahead by most.",
    _ROUTE_LLM,
)
CPT_50 = Definition(
    "CPT(50)", "share", "Smallest share of strong calls with half of the performance gap recovered.", _ROUTE_LLM
)
CPT_80 = Definition(
    "CPT(80)", "share", "Smallest share of strong calls with 80 % of the performance gap recovered.", _ROUTE_LLM
)
DEFERRAL_AREA = Definition(
    "deferral area",
    "share",
    "Area under the highest quality at no more than a cost, over cost / cost of the dearest model from 0 to 1; linear "
    "between points of the sweep, flat beyond them.",
    _UNI_ROUTE,
)
QNC = Definition(
    "QNC",
    "share",
    "Smallest cost / C(B) at which the deferral curve reaches Q(B), linear between points of the sweep.",
    _UNI_ROUTE,
)
PARETO_DIST = Definition(
    "ParetoDist",
    "",
    "Mean Euclidean distance of the points of the sweep to the nearest point of the frontier of all methods and single "
    "models, cost and quality scaled to [0, 1] over all points; our definition of LLMRouterBench's name.",
    _OWN,
)
SWITCH_PRECISION = Definition(
    "switch precision",
    "share",
    "P(q[r] > q[B] given r != B) - P(q[r] < q[B] given r != B), where both were measured.",
    _OWN,
)
BRIER = Definition("Brier score", "", "Mean of (predicted - measured quality)^2 over all measured cells.", "Brier 1950")
CALIBRATION_ERROR = Definition(
    "expected calibration error",
    "share",
    "Sum over ten equal bins of predicted quality of share x |mean predicted - mean measured|.",
    "Guo et al. 2017, arXiv:1706.04599",
)
CALIBRATION_SLOPE = Definition(
    "calibration slope",
    "",
    "Least-squares slope of measured on predicted quality over all measured cells; 1 is right, below 1 predicts too "
    "boldly.",
    "Mincer and Zarnowitz 1969",
)
NOISE_CEILING = Definition(
    "noise ceiling",
    "share",
    "Share of the oracle's gap that is luck of one draw: (Q(O1, draw 1) - Q(O1, other draws)) / (Q(O1, draw 1) - "
    "Q(B, draw 1)), O1 the best of every query by its first draw.",
    _OWN,
)
ENTROPY = Definition(
    "selection entropy",
    "share",
    "-sum over models of share x log(share) / log(number of models): 0 one model for everything, 1 all alike.",
    "Shannon 1948",
)
