/**
 * The console's shell: sign-in, navigation, and the page that the address names.
 *
 * To add a page `contacts`:
 * 1. Write pages/contacts.js: `export default function Contacts({ path }) { return html`<h1>…</h1>`; }`. `path` is what
 *    follows the page's name in the address, split at `/`: of `#/contacts/42` it is `["42"]`.
 * 2. Add its line to PAGES below: its name, its title in both languages, and the least role that it is for.
 * 3. Take `db`, `me`, `may` from ../session.js, `ask`, `call`, `useLive` from ../data.js, `t`, `phone` and other words from
 *    ../words.js, and html, hooks, `act` and parts of pages from ../parts.js.
 * 4. Read with `useLive(() => ask(db.from("contacts").select().limit(50)))`; show it with `<Rows of=${live}>` or `<Loaded>`.
 * 5. Change with `act(() => ask(db.from(…).update(…).eq(…)), done, undo)`: it tells, offers undo, and explains a refusal.
 * 6. Words are `t("English", "French")`, times `<Time at=${iso}/>` or `moment(iso)`, numbers `phone(e164)`.
 * 7. Hide by `may("agent")` what a role may not do; the policy is what refuses it (supabase/schemas).
 * 8. Test its main act in tests/browser/pages_test.ts, and each right in tests/db.
 */
import { arrived, config, db, may, me } from "./session.js";
import { ask, useLive } from "./data.js";
import { lang, speak, t } from "./words.js";
import { act, Do, html, onToast, render, useEffect, useRef, useState } from "./parts.js";
import { SignIn } from "./sign_in.js";

/** name, title, the least role; `hidden`: reached from other pages, or not at all. */
const PAGES = () => [
  ["today", t("Today", "Aujourd’hui"), "viewer"],
  ["calls", t("Calls", "Appels"), "viewer"],
  ["voicemails", t("Voicemails", "Messages"), "viewer"],
  ["search", t("Search", "Recherche"), "viewer"],
  ["contacts", t("Contacts", "Contacts"), "viewer"],
  ["people", t("People", "Personnes"), "viewer"],
  ["flows", t("Flows", "Scénarios"), "viewer"],
  ["campaigns", t("Campaigns", "Campagnes"), "viewer"],
  ["knowledge", t("Knowledge", "Connaissances"), "viewer"],
  ["reports", t("Reports", "Rapports"), "viewer"],
  ["alerts", t("Alerts", "Alertes"), "viewer"],
  ["members", t("Members", "Membres"), "viewer"],
  ["system", t("System", "Système"), "owner", me.org_id !== null],
  ["account", t("My account", "Mon compte"), "viewer", "hidden"],
];

/** The page that the address names, and what follows its name. */
function useRoute() {
  const plain = (part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      // A percent sign that somebody typed.
      return part;
    }
  };
  const read = () => location.hash.replace(/^#\/?/, "").split("/").map(plain);
  const [route, set] = useState(read);
  useEffect(() => {
    const look = () => set(read());
    addEventListener("hashchange", look);
    return () => removeEventListener("hashchange", look);
  }, []);
  const [name, ...path] = route;
  const known = PAGES().find(([each]) => each === name) ?? PAGES()[0];
  return { name: known[0], title: known[1], path: known[0] === name ? path : [] };
}

/** A page's module, fetched when it is first gone to. */
function Page({ name, path }) {
  const [view, set] = useState();
  useEffect(() => {
    let over = false;
    import(`./pages/${name}.js`).then(
      ({ default: View }) => !over && set({ name, View }),
      () => !over && set({ name, failed: true }),
    );
    return () => {
      over = true;
    };
  }, [name]);
  if (view?.name !== name) {
    return html`<p class="note" aria-busy="true">${t("Loading…", "Chargement…")}</p>`;
  }
  if (view.failed) {
    return html`<p class="note bad" role="alert">${
      t(
        "This page could not be fetched. Reload it.",
        "Cette page n’a pas pu être chargée. Rechargez-la.",
      )
    }</p>`;
  }
  return html`<${view.View} path=${path} />`;
}

/** What was done, for some seconds, with a way back. */
function Toasts() {
  const [toasts, set] = useState([]);
  useEffect(() =>
    onToast((toast) => {
      set((before) => [...before.slice(-2), toast]);
      setTimeout(() => set((before) => before.filter(({ id }) => id !== toast.id)), 20_000);
    }), []);
  const close = (id) => set((before) => before.filter((toast) => toast.id !== id));
  const undo = async (toast) => {
    close(toast.id);
    await act(toast.undo);
  };
  // The way to the button is long from the middle of a list.
  useEffect(() => {
    const look = (event) => {
      const last = toasts.findLast((toast) => toast.undo);
      if (
        !last || event.key.toLowerCase() !== "z" || !(event.ctrlKey || event.metaKey) ||
        event.shiftKey ||
        event.target.closest("input, textarea")
      ) return;
      event.preventDefault();
      undo(last);
    };
    addEventListener("keydown", look);
    return () => removeEventListener("keydown", look);
  }, [toasts]);
  return html`<div class="toasts" role="status">${
    toasts.map((toast) =>
      html`<p key=${toast.id} class=${toast.bad ? "toast bad" : "toast"}>
        <span>${toast.words}</span>
        ${
        toast.undo &&
        html`<${Do} aria-keyshortcuts="Control+Z" title="Ctrl Z" act=${() => undo(toast)}>${
          t("Undo", "Annuler")
        }<//>`
      }
        <button type="button" class="quiet" aria-label=${t("Close", "Fermer")} onClick=${() =>
        close(toast.id)}>×</button>
      </p>`
    )
  }</div>`;
}

/** One click for oneself: whether one's own telephone is rung. */
function Availability() {
  const live = useLive(
    () =>
      me.member_id
        ? ask(
          db.from("people").select("id, available, dnd_until, verified_at").eq(
            "member_id",
            me.member_id,
          ),
        )
        : [],
    "mine",
    10_000,
  );
  const person = live.data?.[0];
  if (person === undefined) return null;
  const on = person.available && !(new Date(person.dnd_until) > new Date());
  const { available, dnd_until } = person;
  const set = async (values) => {
    await ask(db.from("people").update(values).eq("id", person.id));
    await live.reload();
  };
  return html`
    <button type="button" class="switch" role="switch" aria-checked=${on}
      onClick=${() =>
        act(
          () => set({ available: !on, dnd_until: null }),
          on
            ? t("Your telephone is not rung.", "Votre téléphone ne sonne plus.")
            : t("Your telephone is rung.", "Votre téléphone sonne."),
          () => set({ available, dnd_until }),
        )}
    >${on ? t("Available", "Disponible") : t("Not available", "Non disponible")}</button>
  `;
}

function Shell() {
  const { name, title, path } = useRoute();
  const main = useRef();
  const first = useRef(true);
  useEffect(() => {
    document.title = `${title} – ${me.business ?? "TradeLine"}`;
    // In a narrow window the pages scroll.
    document.querySelector("nav [aria-current=page]")?.scrollIntoView({
      block: "nearest",
      inline: "center",
    });
    // A new page is read from its beginning.
    if (!first.current) main.current.focus();
    first.current = false;
  }, [name, path.join("/")]);
  const [online, setOnline] = useState(navigator.onLine);
  useEffect(() => {
    const look = () => setOnline(navigator.onLine);
    addEventListener("online", look);
    addEventListener("offline", look);
  }, []);
  return html`
    <a class="skip" href="#main" onClick=${(event) => {
      event.preventDefault();
      main.current.focus();
    }}>${t("Skip to the content", "Aller au contenu")}</a>
    <header class="bar">
      <p class="brand"><img src="favicon.svg" alt="" width="26" height="26" /> ${me.business ??
        "TradeLine"}</p>
      <nav aria-label=${t("Pages", "Pages")}>${PAGES().filter(([, , least, hidden]) =>
        may(least) && !hidden
      ).map((
        [id, words],
      ) =>
        html`<a key=${id} href=${`#/${id}`} aria-current=${
          id === name ? "page" : null
        }>${words}</a>`
      )}</nav>
      <div class="own">
        <${Availability} />
        ${config.phone && html`<a href=${config.phone}>${t("Web phone", "Téléphone web")}</a>`}
        <button type="button" class="quiet" id="language" lang=${lang === "fr"
          ? "en"
          : "fr"} onClick=${() => {
          speak(lang === "fr" ? "en" : "fr");
          draw();
          document.getElementById("language").focus();
        }}>${lang === "fr" ? "English" : "Français"}</button>
        <a href="#/account">${me.name ?? me.user.email}</a>
      </div>
    </header>
    ${!online &&
      html`<p class="banner" role="alert">${
        t(
          "No connection: what is shown may be old. This page goes on when it is back.",
          "Pas de connexion : ce qui est affiché peut être ancien. La page reprendra ensuite.",
        )
      }</p>`}
    <main id="main" tabindex="-1" ref=${main}>
      <${Page} key=${`${name} ${lang}`} name=${name} path=${path} />
    </main>
    <${Toasts} />
  `;
}

// --- who is signed in ----------------------------------------------------------------------------------------

/** `undefined` until it is known: `{stage, user?}`. */
let state;
const app = document.getElementById("app");

function draw() {
  render(
    state === undefined
      ? html`<p class="note" aria-busy="true">${t("Loading…", "Chargement…")}</p>`
      : state.stage === "in"
      ? html`<${Shell} key=${lang} />`
      : html`<${SignIn} ...${state} again=${enter} />`,
    app,
  );
}

/** Finds out who is signed in, for whom, and what is still missing. */
async function enter() {
  const { data: { session } } = await db.auth.getSession();
  if (session === null) {
    state = {
      stage: "out",
      error: arrived.error_code,
      ended: state?.stage === "in" || state?.ended,
    };
    return draw();
  }
  try {
    if (["invite", "recovery"].includes(arrived.type)) {
      state = { stage: "password", user: session.user };
      return draw();
    }
    const { data: level } = await db.auth.mfa.getAuthenticatorAssuranceLevel();
    if (level?.nextLevel === "aal2" && level.currentLevel !== "aal2") {
      state = { stage: "factor", user: session.user };
      return draw();
    }
    const membership = await ask(db.rpc("join_as_member"));
    if (membership === null) {
      state = { stage: "stranger", user: session.user };
      return draw();
    }
    Object.assign(me, { name: null, ...membership, user: session.user, zone: await zone() });
    state = { stage: "in" };
  } catch (error) {
    state = { stage: "failed", message: error.message };
  }
  draw();
}

/** The zone of the newest flow; without one, this machine's. */
async function zone() {
  const [newest] = await ask(
    db.from("call_flow_versions").select("zone:definition->>zone").order("published_at", {
      ascending: false,
    }).limit(1),
  );
  return newest?.zone ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
}

db.auth.onAuthStateChange((event, session) => {
  // Also of another tab. What asks supabase-js must wait until this is over.
  if (event === "SIGNED_OUT" || (event === "SIGNED_IN" && session?.user.id !== me.user?.id)) {
    if (state !== undefined) setTimeout(enter);
  }
});
// A static host may send no header against frames, in which clicks could be led astray.
if (globalThis.top === globalThis.self) {
  draw();
  await enter();
}
