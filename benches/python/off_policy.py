import sys, time
from pathlib import Path
import numpy as np
sys.path.insert(0, "benches/python")
from routing_quality import read_pools
from vsr.choice.chooser import Chooser
from vsr.choice.objective import Objective
from vsr.features import build_features
from vsr.training.trainer import train_selector
from vsr.traffic.table import LoggedTable
from vsr.traffic.judgement import judge
from vsr.data.categories import category_codes
pool = read_pools(Path("/work/shared/data"))[0]
rng = np.random.default_rng(0)
n = len(pool.outcomes.queries)
perm = rng.permutation(n)
train, rest = perm[:3000], perm[3000:]
f = build_features(pool.vectors, [c or "other" for c in pool.outcomes.categories])
t=time.time()
sel = train_selector("knn", f[train], pool.outcomes.take(train), k=100)
scores = sel.scores(f[rest]); Q = pool.outcomes.quality[rest]
codes = category_codes([pool.outcomes.categories[i] for i in rest])
print(time.time()-t, scores.shape, np.isnan(Q).sum())
def utilities(w): return Chooser.prepare(sel.statistics, Objective(w)).utilities(scores, codes)
logged = Objective(0.9)
U = utilities(0.9)
best = U.argmax(1)
gaps = U.max(1)[:,None]-U
for margin in (0.03,0.05,0.1):
    k=(gaps<=margin).sum(1); print(margin, "mean k", k.mean(), "k>1", (k>1).mean())
    for w in (1.0,0.95,0.8,0.7,0.5):
        tgt=utilities(w).argmax(1)
        cov=(gaps[np.arange(len(tgt)),tgt]<=margin)
        print("  w",w,"differs",(tgt!=best).mean(),"covered",cov.mean(), "differs&cov", ((tgt!=best)&cov).mean(), "truth", Q[np.arange(len(tgt)),tgt][cov].mean(), Q[np.arange(len(tgt)),best][cov].mean())
def traffic(m, p, margin, rng):
    rows = rng.integers(len(rest), size=m)
    near = gaps[rows] <= margin
    k = near.sum(1)
    ex = rng.random(m) < p
    pick = (rng.random(m)*k).astype(int)
    drawn = (near.cumsum(1) == (pick+1)[:,None]).argmax(1)
    taken = np.where(ex, drawn, best[rows])
    e = np.where(taken==best[rows], 1-p+p/k, p/k)
    e = np.where(k==1, 1.0, e)
    return rows, LoggedTable(tuple(pool.outcomes.models), taken, e, Q[rows,taken], scores[rows], U[rows], np.ones_like(near), np.full(m,margin), [logged]*0, [], np.ones(m,bool), [], frozenset())
for margin in (0.03,0.05):
  for w in (1.0,0.8,0.7):
    tgt = utilities(w).argmax(1)
    cov = gaps[np.arange(len(tgt)),tgt]<=margin
    truth = Q[np.arange(len(tgt)),tgt][cov].mean(); tb=Q[np.arange(len(tgt)),best][cov].mean()
    for m in (10000,100000):
      for p in (0.02,0.1):
        R=100 if m==10000 else 40
        hits=np.zeros(4); est=[]; ess=[]; tried=[]; widths=[]
        for r in range(R):
            rows, table = traffic(m,p,margin,np.random.default_rng(r))
            v = judge(table,"x",tgt[rows])
            tried.append(v.n_tried); ess.append(v.effective_sample_size)
            if v.refusal: continue
            fs=(v.self_normalised,v.doubly_robust,v.gain_self_normalised,v.gain_doubly_robust)
            hits+= [fs[0].low<=truth<=fs[0].high, fs[1].low<=truth<=fs[1].high, fs[2].low<=truth-tb<=fs[2].high, fs[3].low<=truth-tb<=fs[3].high]
            est.append([x.value for x in fs]); widths.append([(x.high-x.low)/2 for x in fs])
        print(margin,w,m,p,"ess %.0f tried %.0f"%(np.mean(ess),np.mean(tried)),"n",len(est),"cover",hits/max(len(est),1),"mean",np.mean(est,0) if est else None,"truth %.4f gain %.4f"%(truth,truth-tb), "half", np.mean(widths,0) if est else None)
