"use strict";
(() => {
  // On paper nobody can open anything: the tables behind the pictures are printed, and closed again afterwards.
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details.behind:not([open])")];
    for (const each of opened) each.open = true;
  });
  addEventListener("afterprint", () => { for (const each of opened) each.open = false; });

  const source = document.getElementById("stops");
  if (!source) return;
  const { stops, start } = JSON.parse(source.textContent);
  const panel = document.getElementById("slide");
  const range = document.getElementById("slide-weight");
  const share = document.getElementById("slide-share");
  const shown = document.getElementById("slide-shown");
  const rings = [...document.querySelectorAll(".drawing.tradeoff svg")].map((svg) => {
    const marks = svg.querySelector(".judged_marks");
    const dots = marks ? [...marks.children] : [];
    const ring = document.createElementNS("http://www.w3.org/2000/svg", "circle");
    ring.setAttribute("class", "ring");
    ring.setAttribute("r", "10");
    // Last of all marks, so that no other one covers it.
    if (marks) marks.parentNode.appendChild(ring);
    return { ring, dots };
  });
  let among = stops;

  function show() {
    const stop = among[Number(range.value)];
    shown.textContent = stop.weight;
    range.setAttribute("aria-valuetext", stop.said);
    for (const place of panel.querySelectorAll("[data-slide]")) {
      const text = stop[place.dataset.slide] ?? "";
      place.textContent = text;
      place.classList.toggle("same", text === "no change");
    }
    for (const { ring, dots } of rings) {
      const dot = dots[stop.index];
      if (dot) ring.setAttribute("transform", dot.getAttribute("transform"));
    }
  }
  function choose(costShare, weight) {
    among = stops.filter((stop) => stop.cost_share === costShare);
    range.max = String(among.length - 1);
    const distance = (stop) => Math.abs(Number(stop.weight) - Number(weight));
    range.value = String(among.reduce((best, stop, at) => (distance(stop) < distance(among[best]) ? at : best), 0));
    show();
  }
  range.addEventListener("input", show);
  if (share) {
    share.value = stops[start].cost_share;
    share.addEventListener("change", () => choose(share.value, shown.textContent));
  }
  choose(stops[start].cost_share, stops[start].weight);
  panel.hidden = false;
})();
