"use strict";
// Filter and sorting. The page is whole without them: what needs a script is only shown or made here.
(() => {
  const RANK = { bad: 0, unsure: 1, good: 2, none: 3, blocked: 0, partial: 1, unknown: 2, ready: 3, skipped: 4 };
  const said = document.createElement("p");
  said.className = "said";
  said.setAttribute("role", "status");
  document.body.append(said);

  // What is typed must be found in the row of an image; its entries in the lists above come and go with that row.
  const bar = document.querySelector(".filter");
  const field = document.getElementById("filter");
  const count = document.getElementById("count");
  const images = new Map();
  for (const row of document.querySelectorAll(".matrix tbody tr")) {
    images.set(row.id.slice("image-".length), { parts: [row], text: null });
  }
  for (const item of document.querySelectorAll("[data-image]")) images.get(item.dataset.image).parts.push(item);
  const lists = [...document.querySelectorAll("section.list")];

  const filter = () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const image of images.values()) {
      image.text ??= image.parts.map((part) => part.textContent).join(" ").toLowerCase();
      const wanted = words.every((word) => image.text.includes(word));
      shown += wanted;
      for (const part of image.parts) part.hidden = !wanted;
    }
    for (const list of lists) list.hidden = !list.querySelector("[data-image]:not([hidden])");
    const total = images.size;
    count.textContent = `${words.length ? `${shown} of ` : ""}${total} image${total === 1 ? "" : "s"}`;
  };
  if (images.size) {
    bar.hidden = false;
    field.addEventListener("input", filter);
    field.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && field.value) {
        event.preventDefault();
        field.value = "";
        filter();
      }
    });
    if (field.value) filter(); // a browser may bring back what stood in it
  }

  // Who follows a link to an image wants to see all of its owners.
  const unfold = () => {
    const owners = document.getElementById(location.hash.slice(1))?.querySelector("details");
    if (owners) owners.open = true;
  };
  addEventListener("hashchange", unfold);
  unfold();

  // A head's button sorts by its column; once more the other way round.
  const key = (cell, kind) => {
    if (kind === "number") return Number(cell.firstChild.textContent.replaceAll(",", ""));
    if (kind === "text") return (cell.querySelector(".name") ?? cell).textContent;
    return Math.min(...[...cell.classList].map((name) => RANK[name] ?? 9));
  };
  const compare = (a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : a.place - b.place);
  const sort = (head, title) => {
    const table = head.closest("table");
    const first = head.dataset.sort === "number" ? "descending" : "ascending";
    const other = first === "ascending" ? "descending" : "ascending";
    const order = head.getAttribute("aria-sort") === first ? other : first;
    for (const one of table.tHead.rows[0].cells) one.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", order);
    const sign = order === "ascending" ? 1 : -1;
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row, place) => ({
      row, place: sign * place, key: key(row.cells[head.cellIndex], head.dataset.sort),
    }));
    rows.sort((a, b) => sign * compare(a, b));
    body.append(...rows.map((one) => one.row));
    said.textContent = `Sorted by ${title}, ${order}`;
  };
  for (const head of document.querySelectorAll("th[data-sort]")) {
    const button = document.createElement("button");
    button.type = "button";
    const note = head.querySelector("small");
    note?.remove();
    const title = head.textContent.trim();
    button.append(...head.childNodes);
    button.addEventListener("click", () => sort(head, title));
    head.append(button, ...(note ? [note] : []));
  }
})();
