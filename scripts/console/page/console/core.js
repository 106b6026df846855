/** What every page of the console builds on: the session, requests, live data, words, times, and small parts of a page. */
export const { html, render, useCallback, useEffect, useRef, useState } = globalThis.htmPreact;

// --- the session ---------------------------------------------------------------------------------------------

/** `{url, publishableKey, phone?}`. */
export const config = await (await fetch("config.json")).json();

/** What a mailed link brought, read before supabase-js takes it away: `{type}` or `{error_code}`. */
export const arrived = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));

/** The project, under the person's own token. */
export const db = globalThis.supabase.createClient(config.url, config.publishableKey);

/** Who is signed in: `{user, org_id, role, member_id, name, business, zone}`. Set by main.js before any page is shown. */
export const me = {};

const RANKS = ["viewer", "agent", "admin", "owner"];
/** Whether the person has at least this role. Hides what would be refused; the database refuses. */
export const may = (role) => RANKS.indexOf(me.role) >= RANKS.indexOf(role);

// --- words ---------------------------------------------------------------------------------------------------

export let lang = localStorage.getItem("lang") ??
  (navigator.language.startsWith("fr") ? "fr" : "en");

/** The words in the person's language. */
export const t = (english, french) => lang === "fr" ? french : english;

export function speak(language) {
  lang = language;
  localStorage.setItem("lang", language);
  document.documentElement.lang = language;
}
document.documentElement.lang = lang;

/** `one` or `many` with its number. */
export const count = (n, one, many) => `${number(n)} ${n === 1 ? one : many}`;
export const number = (n) => new Intl.NumberFormat(locale()).format(n);
const locale = () => lang === "fr" ? "fr-CA" : "en-CA";

// --- times, in the organisation's zone -----------------------------------------------------------------------

const inZone = (options) => new Intl.DateTimeFormat(locale(), { timeZone: me.zone, ...options });
const dayOf = (date) => inZone({ dateStyle: "short" }).format(date);

/** The time; and the day when it is not today. */
export function moment(iso) {
  const date = new Date(iso);
  return dayOf(date) === dayOf(new Date())
    ? inZone({ timeStyle: "short" }).format(date)
    : inZone({ dateStyle: "medium", timeStyle: "short" }).format(date);
}

export const clock = (iso) => inZone({ timeStyle: "medium" }).format(new Date(iso));

/** A moment as an element, which says the exact time and the zone when pointed at. */
export const Time = ({ at }) =>
  at
    ? html`<time datetime=${at} title=${`${
      inZone({ dateStyle: "full", timeStyle: "long" }).format(new Date(at))
    }`}>${moment(at)}</time>`
    : "–";

/** `1:05` of 65 seconds. */
export function minutes(seconds) {
  const whole = Math.max(0, Math.round(seconds ?? 0));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/** A number as people read it: `+1 403 555 0123`. */
export const phone = (e164) =>
  e164 ? e164.replace(/^\+1(\d{3})(\d{3})(\d{4})$/, "+1 $1 $2 $3") : t("Withheld", "Masqué");

// --- requests ------------------------------------------------------------------------------------------------

/** A failure in words that a person can act on. */
export class Failure extends Error {
  constructor(message, { offline = false, issues = [], status } = {}) {
    super(message);
    Object.assign(this, { offline, issues, status });
  }
}

function failureOf({ code, message = "", status }) {
  if (code === "42501" || status === 403) {
    return new Failure(t("Your role does not allow this.", "Votre rôle ne le permet pas."), {
      status: 403,
    });
  }
  if (code === "23505") {
    return new Failure(t("This exists already.", "Cela existe déjà."), { status: 409 });
  }
  if (!code && !status || /failed to fetch|networkerror|load failed/i.test(message)) {
    return new Failure(
      t(
        "The project does not answer. Check the connection.",
        "Le projet ne répond pas. Vérifiez la connexion.",
      ),
      { offline: true },
    );
  }
  return new Failure(message || t("That did not work.", "Cela n’a pas fonctionné."), { status });
}

/** What a Data API request answers, such as `ask(db.from("people").select())`. @throws {Failure} */
export async function ask(request) {
  const { data, error, status } = await request;
  if (error) throw failureOf({ ...error, status });
  return data;
}

/** `{rows, total}` of `db.from("people").select("*", ALL).limit(20)`: some rows, and how many there are. @throws {Failure} */
export async function askSome(request) {
  const { data, error, count, status } = await request;
  if (error) throw failureOf({ ...error, status });
  return { rows: data, total: count };
}
export const ALL = { count: "exact" };

/** An edge function's JSON answer, asked under the person's own token; a file is sent as it is. @throws {Failure} with its `issues` */
export async function call(path, { method = "POST", body, ...init } = {}) {
  const { data: { session } } = await db.auth.getSession();
  const file = body instanceof Blob;
  let response;
  try {
    response = await fetch(`${config.url}/functions/v1/${path}`, {
      method,
      headers: {
        authorization: `Bearer ${session?.access_token}`,
        ...(body !== undefined && { "content-type": file ? body.type : "application/json" }),
      },
      ...(body !== undefined && { body: file ? body : JSON.stringify(body) }),
      ...init,
    });
  } catch {
    throw failureOf({});
  }
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  if (response.status === 403) throw failureOf({ status: 403 });
  const { issues = [], error = `${response.status}` } = answer;
  const said = issues.map(({ path, field, message }) => `${path ?? field}: ${message}`).join("; ");
  throw new Failure(answer.message ?? (said || error), { issues, status: response.status });
}

/** A file that an edge function gives, as an address for a player; the caller revokes it. */
export async function blobOf(path) {
  const { data: { session } } = await db.auth.getSession();
  const response = await fetch(`${config.url}/functions/v1/${path}`, {
    headers: { authorization: `Bearer ${session?.access_token}` },
  }).catch(() => {
    throw failureOf({});
  });
  if (!response.ok) throw failureOf({ status: response.status, message: `${response.status}` });
  return URL.createObjectURL(await response.blob());
}

/** How often pages look for news, in milliseconds. */
const LOOK = 3_000;

/**
 * Data that stays current while the page is looked at: `{data, error, reload}`. What was there stays until the new is
 * there, and nothing is drawn anew that did not change, so that nothing jumps.
 *
 * @param load Asks for it.
 * @param key What `load` depends on; another key forgets the data.
 */
export function useLive(load, key = "", every = LOOK) {
  const [state, set] = useState({});
  const current = useRef();
  current.current = key;
  const reload = useCallback(async () => {
    try {
      const data = await load();
      if (current.current !== key) return;
      set((before) =>
        before.key === key && !before.error && JSON.stringify(before.data) === JSON.stringify(data)
          ? before
          : { key, data }
      );
    } catch (error) {
      if (current.current === key) {
        set((before) => ({ key, data: before.key === key ? before.data : undefined, error }));
      }
    }
  }, [key]);
  useEffect(() => {
    let timer;
    let over = false;
    const look = async () => {
      clearTimeout(timer);
      if (document.visibilityState === "visible") await reload();
      if (!over) timer = setTimeout(look, every);
    };
    look();
    addEventListener("focus", look);
    return () => {
      over = true;
      clearTimeout(timer);
      removeEventListener("focus", look);
    };
  }, [reload]);
  return state.key === key ? { ...state, reload } : { reload };
}

// --- going, and telling --------------------------------------------------------------------------------------

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

// --- parts of pages ------------------------------------------------------------------------------------------

/** What a page shows while its first data comes, when that failed, and when there is nothing. */
export function Loaded({ of: { data, error }, empty, children }) {
  if (error?.status === 403) return html`<p class="note">${error.message}</p>`;
  if (data === undefined) {
    return error
      ? html`<p class="note bad" role="alert">${error.message}</p>`
      : html`<p class="note" aria-busy="true">${t("Loading…", "Chargement…")}</p>`;
  }
  if (empty && Array.isArray(data) && data.length === 0) return html`<p class="note">${empty}</p>`;
  return html`
    ${error &&
      html`<p class="note bad" role="alert">${error.message} ${
        t("What is shown may be old.", "Ce qui est affiché peut être ancien.")
      }</p>`}
    ${children(data)}
  `;
}

/** A card with a heading; `n` is the database's count. */
export const Card = ({ title, n, actions, children, id }) =>
  html`<section class="card" aria-labelledby=${id}>
    <header><h2 id=${id}>${title}${
    n !== undefined && html`${" "}<span class="count">${number(n)}</span>`
  }</h2>${actions}</header>
    ${children}
  </section>`;

/** A button that waits for its act. */
export function Do({ act: work, children, kind = "quiet", ...rest }) {
  const [busy, setBusy] = useState(false);
  const onClick = async (event) => {
    event.preventDefault();
    setBusy(true);
    await work().finally(() => setBusy(false));
  };
  return html`
    <button type="button" class=${kind} disabled=${busy} aria-busy=${busy}
      onClick=${onClick} ...${rest}>${children}</button>
  `;
}

/** A form whose fields go to `submit` as an object; it waits, and shows a failure beside the fields. */
export function Form({ submit, children, label, button, ...rest }) {
  const [{ busy, error }, set] = useState({});
  const onSubmit = async (event) => {
    event.preventDefault();
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
    button && html`<button class="primary" disabled=${busy} aria-busy=${!!busy}>${button}</button>`
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

/** How a call ended or stands, in words. */
export function outcome({ disposition, status }) {
  return {
    connected: t("Connected", "Connecté"),
    voicemail: t("Left a message", "A laissé un message"),
    abandoned: t("Hung up", "A raccroché"),
    rate_limited: t("Refused: too many calls", "Refusé : trop d’appels"),
    failed: t("Failed", "Échec"),
  }[disposition] ?? (status === "ringing" ? t("Ringing", "Sonne") : t("On the line", "En ligne"));
}

/** A file with these rows, for a table program. */
export function saveCsv(name, columns, rows) {
  // A leading = + - @ would be a formula.
  const cell = (value) => {
    const text = String(value ?? "").replace(/^(?=[=+\-@\t\r])/, "'");
    return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const text = [
    columns.map(([title]) => title),
    ...rows.map((row) => columns.map(([, get]) => get(row))),
  ]
    .map((cells) => cells.map(cell).join(",")).join("\r\n");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([`\ufeff${text}\r\n`], { type: "text/csv" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
