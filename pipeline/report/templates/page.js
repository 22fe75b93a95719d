"use strict";
// Without it the page says the same: curves along steps, numbers in tables, all examples.
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  // What is said beside a mark that is pointed at.
  const tip = document.createElement("div");
  tip.id = "tip";
  tip.setAttribute("role", "status");
  tip.hidden = true;
  document.body.append(tip);
  const hush = () => { tip.hidden = true; };
  const say = (sentences, x, y) => {
    tip.replaceChildren(...sentences.map(sentence => {
      const line = document.createElement("div");
      line.textContent = sentence;
      return line;
    }));
    tip.hidden = false;
    const { width, height } = tip.getBoundingClientRect();
    const right = document.documentElement.clientWidth - width - 8;
    tip.style.left = `${Math.max(8, Math.min(x + 14, right))}px`;
    tip.style.top = `${y - height - 12 < 8 ? y + 18 : y - height - 12}px`;
  };

  // The browser's own tooltips give way; the names of charts stay in their labels.
  all("figure svg > title").forEach(title => title.remove());
  all(".spot > title").forEach(title => {
    title.parentNode.dataset.said = title.textContent;
    title.remove();
  });
  let leave = hush; // what takes away all that is shown of a curve
  const point = event => {
    if (event.target.closest(".drawing[data-along] svg")) return;
    leave();
    const spot = event.target.closest(".spot");
    if (spot) say([spot.dataset.said], event.clientX, event.clientY);
  };
  document.addEventListener("pointermove", point);
  document.addEventListener("pointerdown", point);
  document.addEventListener("scroll", hush, { passive: true });

  // Curves: the numbers are those of the table below.
  const numeric = text => Number(text.replaceAll(",", ""));
  const curves = figure => all("tbody", figure).map((body, number) => ({
    name: body.dataset.series,
    rows: all("tr", body).map(row => all("td", row).map(cell => cell.textContent)).filter(row => row.length),
    colour: figure.querySelector(`.drawing [data-curve="${number}"]`)?.getAttribute("stroke"),
  }));

  const follow = (figure, drawing, axes, series) => {
    const svg = drawing.querySelector("svg");
    const [left, right, top, bottom, xLow, xHigh, yHigh, yLow] = svg.querySelector("[data-frame]").dataset.frame.split(" ").map(Number);
    const along = axes.indexOf(drawing.dataset.along);
    const points = series.flatMap(({ name, rows, colour }) => rows
      .filter(row => row.at(-1) !== "")
      .map(row => ({
        name, row, colour, value: row.at(-1),
        x: left + (numeric(row[along]) - xLow) / (xHigh - xLow) * (right - left),
        y: bottom + (numeric(row.at(-1)) - yLow) / (yHigh - yLow) * (top - bottom),
      }))).sort((one, other) => one.x - other.x);
    if (!points.length) return;
    let place = points.length - 1;
    const draw = (kind, attributes) => {
      const element = document.createElementNS(svg.namespaceURI, kind);
      Object.entries(attributes).forEach(([name, value]) => element.setAttribute(name, value));
      return element;
    };
    const pointer = draw("g", { class: "pointer" });
    svg.append(pointer);
    const away = () => { pointer.replaceChildren(); hush(); };
    const show = () => {
      leave();
      leave = away;
      const here = points[place];
      const near = series.flatMap(({ name }) => {
        const own = points.filter(other => other.name === name);
        const next = own.reduce((best, other) => Math.abs(other.x - here.x) < Math.abs(best.x - here.x) ? other : best, own[0] ?? here);
        return Math.abs(next.x - here.x) < 6 && next.name === name ? [next] : [];
      });
      pointer.replaceChildren(
        draw("line", { x1: here.x, x2: here.x, y1: top, y2: bottom, stroke: "currentColor", opacity: 0.5 }),
        ...near.map(({ x, y, colour }) => draw("circle", { cx: x, cy: y, r: 4, fill: colour, stroke: "var(--card)" })),
      );
      const box = svg.getBoundingClientRect();
      const scale = box.width / svg.viewBox.baseVal.width;
      // What is said first holds for all of them; a point that is elsewhere says where.
      const shared = axes.map((axis, number) => number)
        .filter(number => number === along || near.every(({ row }) => row[number] === here.row[number]));
      const where = shared.map(number => `${axes[number]} ${here.row[number]}`).join(" · ");
      const told = near.map(({ name, value, row }) =>
        `${name}: ${value}${row[along] === here.row[along] ? "" : ` (${axes[along]} ${row[along]})`}`);
      say([where, ...told], box.left + here.x * scale, box.top + here.y * scale);
    };
    const nearest = event => {
      const box = svg.getBoundingClientRect();
      const x = (event.clientX - box.left) / box.width * svg.viewBox.baseVal.width;
      place = points.reduce((best, other, number) => Math.abs(other.x - x) < Math.abs(points[best].x - x) ? number : best, 0);
      show();
    };
    svg.tabIndex = 0;
    svg.addEventListener("pointermove", nearest);
    svg.addEventListener("pointerdown", nearest);
    svg.addEventListener("pointerleave", event => { if (event.pointerType !== "touch") away(); });
    svg.addEventListener("focus", () => { if (svg.matches(":focus-visible")) show(); });
    svg.addEventListener("blur", away);
    svg.addEventListener("keydown", event => {
      const x = points[place].x;
      const before = points.findLastIndex(other => other.x < x - 1e-9);
      const after = points.findIndex(other => other.x > x + 1e-9);
      const to = { ArrowLeft: before, ArrowRight: after, Home: 0, End: points.length - 1 }[event.key];
      if (event.key === "Escape") away();
      if (to === undefined) return;
      event.preventDefault();
      if (to >= 0) place = to;
      show();
    });
  };
  all("figure").forEach(figure => {
    const drawings = all(".drawing", figure).filter(drawing => drawing.dataset.along);
    const axes = all("thead th", figure).slice(0, -1).map(head => head.textContent);
    const series = drawings.length ? curves(figure) : [];
    drawings.forEach(drawing => follow(figure, drawing, axes, series));
  });

  // What curves are drawn along: one choice for the whole page.
  all(".along").forEach(choice => { choice.hidden = false; });
  all(".along input").forEach(input => input.addEventListener("change", () => {
    all(".along input").forEach(other => { other.checked = other.value === input.value; });
    all("figure").forEach(figure => {
      const drawings = all(".drawing", figure);
      const chosen = drawings.find(drawing => drawing.dataset.along === input.value) ?? drawings[0];
      drawings.forEach(drawing => { drawing.hidden = drawing !== chosen; });
    });
  }));

  // Examples by right and wrong, by class, by their text.
  all(".examples").forEach(part => {
    const filters = part.querySelector(".filters");
    const examples = all(".example", part).map(example => [example, example.textContent.toLowerCase()]);
    const sift = () => {
      const chosen = all("select", filters).filter(select => select.value);
      const words = filters.querySelector("input").value.trim().toLowerCase();
      let seen = 0;
      examples.forEach(([example, text]) => {
        const fits = text.includes(words) && chosen.every(select => example.dataset[select.dataset.by] === select.value);
        example.hidden = !fits;
        seen += fits;
      });
      const more = part.querySelector(".more");
      if (more && (chosen.length || words)) more.open = true;
      filters.querySelector("output").textContent = `${seen} of ${examples.length}`;
    };
    filters.addEventListener("input", sift);
    filters.hidden = false;
    sift();
  });
})();
