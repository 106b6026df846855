/** The view library, and the parts that pages are made of. */
import { csvRow } from "./csv.js";
import { Failure } from "./data.js";
import { html, useEffect, useRef, useState } from "./view.js";
import { count, fullMoment, moment, number, t } from "./words.js";

export { html, render, useEffect, useRef, useState } from "./view.js";

export const go = (path) => {
  location.hash = `#/${path}`;
};

let showToast = () => {};
export const onToast = (show) => {
  showToast = show;
};

/** Says what was done, and offers to take it back. */
export const tell = (words, undo) => showToast({ words, undo, id: Math.random() });

/** Runs an act: says `done`, or why it failed. @returns whether it was done */
export async function act(work, done, undo) {
  try {
    await work();
    if (done) tell(done, undo);
    return true;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    showToast({ words: error.message, bad: true, id: Math.random() });
    return false;
  }
}

/** A moment as an element, which says the exact time and the zone when pointed at. */
export const Time = ({ at }) =>
  at ? html`<time datetime=${at} title=${fullMoment(at)}>${moment(at)}</time>` : "–";

/** What a page shows while its first data comes, when that failed, and when there is nothing. */
export function Loaded({ of: { data, error }, empty, children }) {
  if (error?.status === 403) return html`<p class="note">${error.message}</p>`;
  if (data === undefined) {
    return error
      ? html`<p class="note bad" role="alert">${error.message}</p>`
      : html`<p class="note" aria-busy="true">${t("Loading…", "Chargement…")}</p>`;
  }
  if (empty && (data.rows ?? data).length === 0) return html`<p class="note">${empty}</p>`;
  return html`
    <div class="loaded">
      ${error &&
        html`<p class="note bad" role="alert">${error.message} ${
          t("What is shown may be old.", "Ce qui est affiché peut être ancien.")
        }</p>`}
      ${children(data)}
    </div>
  `;
}

/**
 * A list of live rows (an array, or `{rows, total}`), each drawn by `item`. `counted` puts the total into words, `more` is
 * shown below when there are more than these.
 */
export const Rows = ({ of, empty, item, counted, more }) =>
  html`<${Loaded} of=${of} empty=${empty}>${(data) => {
    const { rows = data, total = rows.length } = data;
    return html`${counted && html`<p class="small" role="status">${counted(total)}</p>`}
      <${Held} items=${rows.map(item)} />${total > rows.length && more}`;
  }}<//>`;

/**
 * A list of keyed elements that does not reorder under a person's hand: while it has the pointer or the focus, the order stays
 * and new rows wait behind a button. What is gone is gone; what comes back, as by an undo, is where it was.
 */
function Held({ items }) {
  const ref = useRef();
  const pointer = useRef(false);
  const order = useRef([]);
  const [, draw] = useState();
  const held = pointer.current || ref.current?.contains(document.activeElement);
  if (!held) order.current = items.map(({ key }) => key);
  const known = new Set(order.current);
  const news = items.filter(({ key }) => !known.has(key)).length;
  const byKey = new Map(items.map((each) => [each.key, each]));
  const release = () => {
    order.current = items.map(({ key }) => key);
    ref.current.querySelector("a, button").focus();
    draw({});
  };
  return html`
    <div ref=${ref} onPointerMove=${() => {
      pointer.current = true;
    }} onPointerLeave=${() => {
      pointer.current = false;
      draw({});
    }} onfocusout=${({ currentTarget, relatedTarget }) =>
      !currentTarget.contains(relatedTarget) && setTimeout(() => draw({}))}>
      <ul class="list">${order.current.map((key) => byKey.get(key))}</ul>
      ${news > 0 &&
        html`<p><button type="button" class="quiet" onClick=${release}>${
          count(news, t("new", "nouveau"), t("new", "nouveaux"))
        }</button></p>`}
    </div>
  `;
}

/** How many rows to ask for, `first` at first, and the button that asks for more of them. */
export function useMore(first, step = first) {
  const [limit, set] = useState(first);
  return [
    limit,
    html`<p><button type="button" onClick=${() => set(limit + step)}>${
      t("Show more", "En voir plus")
    }</button></p>`,
  ];
}

/** A page of one list: its heading, and a card. */
export const Page = ({ title, children }) =>
  html`
    <h1>${title}</h1>
    <section class="card" aria-label=${title}>${children}</section>
  `;

/** A table; `columns` are `[title, value of a row, whether it is a number]`, `id` is of its heading. */
export const Table = ({ columns, rows, id }) =>
  html`
    <div class="scroll" tabindex="0" role="group" aria-labelledby=${id}>
      <table>
        <thead>
          <tr>${columns.map(([title, , n]) =>
            html`<th key=${title} class=${n ? "n" : ""}>${title}</th>`
          )}</tr>
        </thead>
        <tbody>${rows.map((row, i) =>
          html`<tr key=${row.id ?? i}>${
            columns.map(([title, get, n]) =>
              html`<td key=${title} class=${n ? "n" : ""}>${get(row)}</td>`
            )
          }</tr>`
        )}</tbody>
      </table>
    </div>
  `;

/** Figures with a bar each: rows of `{name, value, percent, more}`. */
export const Bars = ({ rows }) =>
  html`<ul class="stages">${
    rows.map(({ name, value, percent, more }) =>
      html`
        <li
          key=${name}><span>${name}</span><svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"><rect width="100" height="8" /><rect class="reach" width=${percent} height="8" /></svg><strong>${number(
            value,
          )}</strong>${more && html`<small>${more}</small>`}</li>
      `
    )
  }</ul>`;

/** A card with a heading; `n` is the database's count. */
export const Card = ({ title, n, actions, children, id }) =>
  html`<section class="card" aria-labelledby=${id}>
    <header><h2 id=${id}>${title}${
    n !== undefined && html`${" "}<span class="count">${number(n)}</span>`
  }</h2>${actions}</header>
    ${children}
  </section>`;

const controlsOf = (row) => [...row.querySelectorAll("a, button, input, select")];

/** Does what a control is for. Where the control is gone after it, what took its place has the focus: else `main`. */
export async function keepFocus(control, work) {
  const row = control.closest("li");
  const list = row?.parentElement;
  const [place, nth] = row
    ? [[...list.children].indexOf(row), controlsOf(row).indexOf(control)]
    : [];
  const held = document.activeElement === control;
  await work();
  // Until it is drawn.
  await new Promise((drawn) => setTimeout(drawn));
  if (!held || control.isConnected || document.activeElement !== document.body) return;
  const next = row?.isConnected
    ? row
    : list?.isConnected && (list.children[place] ?? list.lastElementChild);
  const controls = next ? controlsOf(next) : [];
  (controls[nth] ?? controls.at(-1) ?? document.getElementById("main"))?.focus();
}

/** A button that waits for its act. Not `disabled` meanwhile, which would take the focus away. */
export function Do({ act: work, children, kind = "quiet", ...rest }) {
  const [busy, setBusy] = useState(false);
  const onClick = async (event) => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    await keepFocus(event.currentTarget, work).finally(() => setBusy(false));
  };
  return html`
    <button type="button" class=${kind} aria-disabled=${busy} aria-busy=${busy}
      onClick=${onClick} ...${rest}>${children}</button>
  `;
}

/** A form whose fields go to `submit` as an object; it waits, and shows a failure beside the fields. */
export function Form({ submit, children, label, button, ...rest }) {
  const [{ busy, error }, set] = useState({});
  const onSubmit = async (event) => {
    event.preventDefault();
    if (busy) return;
    const form = event.target;
    set({ busy: true });
    try {
      await submit(Object.fromEntries(new FormData(form)), form);
      set({});
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      set({ error });
    }
  };
  return html`<form onSubmit=${onSubmit} aria-label=${label} ...${rest}>
    ${children}
    ${error && html`<p class="note bad" role="alert">${error.message}</p>`}
    ${
    button &&
    html`<button class="primary" aria-disabled=${!!busy} aria-busy=${!!busy}>${button}</button>`
  }
  </form>`;
}

/** A dialogue over the page; Escape closes it. */
export function Dialog({ title, close, children }) {
  const ref = useRef();
  useEffect(() => {
    ref.current.showModal();
  }, []);
  return html`<dialog ref=${ref} onClose=${close} aria-label=${title}>
    <header><h2>${title}</h2><button type="button" class="quiet" onClick=${() =>
    ref.current.close()}>${t("Close", "Fermer")}</button></header>
    ${children}
  </dialog>`;
}

/** Saves rows as a file for a table program. */
export function saveCsv(name, columns, rows) {
  const text = [
    columns.map(([title]) => title),
    ...rows.map((row) => columns.map(([, get]) => get(row))),
  ].map(csvRow).join("");
  saveFile(name, URL.createObjectURL(new Blob([`\ufeff${text}`], { type: "text/csv" })));
}

/** Saves what an address of `URL.createObjectURL` has. */
export function saveFile(name, href) {
  const link = document.createElement("a");
  link.href = href;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(href), 10_000);
}
