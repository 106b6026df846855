/** One box for all that was ever said: words, filters, what is found with its second of audio, saved searches, alerts. */
import { db, may, me } from "../session.js";
import { ask, blobOf, call, useLive } from "../data.js";
import { count, minutes, phone, t } from "../words.js";
import {
  act,
  Card,
  Do,
  Form,
  go,
  html,
  Loaded,
  Rows,
  saveFile,
  Time,
  useEffect,
  useState,
} from "../parts.js";
import { snippetParts } from "../snippet.js";
import { Player } from "./voicemails.js";

const KINDS = () => ({
  call: t("Call", "Appel"),
  voicemail: t("Voicemail", "Message vocal"),
  transcript: t("Conversation", "Conversation"),
  agent_turn: t("Assistant", "Assistant"),
  note: t("Note", "Note"),
  contact: t("Contact", "Contact"),
  message: t("Website message", "Message du site"),
  campaign: t("Campaign", "Campagne"),
});
const DIRECTIONS = () => ({
  inbound: t("Incoming", "Entrant"),
  outbound: t("Outgoing", "Sortant"),
});
const DISPOSITIONS = () => ({
  connected: t("Connected", "Connecté"),
  voicemail: t("Left a message", "A laissé un message"),
  abandoned: t("Hung up", "A raccroché"),
  rate_limited: t("Refused", "Refusé"),
  failed: t("Failed", "Échec"),
});
const HAS = () => ({
  voicemail: t("a voicemail", "un message vocal"),
  recording: t("a recording", "un enregistrement"),
  transcript: t("a transcript", "une transcription"),
  note: t("a note", "une note"),
});
const NUMBERS = ["min_seconds", "max_seconds"];

/** A search as the address has it: `q=refund&has=voicemail,note`. */
const written = ({ q, ...filters }) =>
  String(new URLSearchParams(Object.entries({ q, ...filters }).filter(([, value]) => value)));

/** What is asked of the function. */
function request(wanted) {
  const { q, has, ...filters } = wanted;
  for (const name of NUMBERS) if (filters[name]) filters[name] = Number(filters[name]);
  return { ...(q && { q }), filters: { ...filters, ...(has && { has: has.split(",") }) } };
}

/** A snippet, with what was found marked: each part is shown as text. */
const Snippet = ({ of: snippet }) =>
  html`<p>${
    snippetParts(snippet).map((part, nth) => nth % 2 === 1 ? html`<mark>${part}</mark>` : part)
  }</p>`;

function Result({ row }) {
  const [playing, setPlaying] = useState(false);
  const recording = /^(CA\w+)\/(RE\w+)$/.exec(row.ref ?? "");
  const title = /^\+\d+$/.test(row.title) ? phone(row.title) : row.title || KINDS()[row.kind];
  return html`<li>
    <div class="grow">
      <p class="row"><a href=${row.url}>${title}</a> <span class="tag">${
    KINDS()[row.kind]
  }</span> <small><${Time} at=${row.at} /></small></p>
      <${Snippet} of=${row.snippet} />
    </div>
    ${
    recording &&
    (playing
      ? html`<${Player} call_sid=${recording[1]} recording_sid=${recording[2]} at=${
        row.start_sec ?? 0
      } label=${title} />`
      : html`<button type="button" onClick=${() => setPlaying(true)} aria-label=${
        t(
          `Play ${title} from ${minutes(row.start_sec)}`,
          `Écouter ${title} à partir de ${minutes(row.start_sec)}`,
        )
      }>▶ ${minutes(row.start_sec)}</button>`)
  }
  </li>`;
}

/** The pages of a search so far. */
function useSearch(wanted) {
  const key = written(wanted);
  const [state, set] = useState({});
  const load = async (cursor) => {
    try {
      const answer = await call("call-search", {
        body: { ...request(wanted), ...(cursor && { cursor }) },
      });
      set((before) => ({
        key,
        data: { ...answer, results: [...(cursor ? before.data.results : []), ...answer.results] },
      }));
    } catch (error) {
      set({ key, error });
    }
  };
  useEffect(() => {
    if (key) load();
  }, [key]);
  return { ...(state.key === key ? state : {}), more: load };
}

/** What narrows a search further, with how many it leaves. */
function Facets({ facets, wanted, change }) {
  const names = {
    direction: [t("Direction", "Sens"), DIRECTIONS()],
    disposition: [t("How it ended", "Issue"), DISPOSITIONS()],
    mode: [t("Choice", "Choix"), {}],
    line: [t("Line", "Ligne"), {}],
  };
  // A value that all have narrows nothing.
  const useful = Object.entries(names).filter(([name]) =>
    wanted[name] || Object.keys(facets[name] ?? {}).length > 1
  );
  if (useful.length === 0) return null;
  return html`<div class="row">${
    useful.map(([name, [title, words]]) =>
      html`
        <div class="row" role="group" key=${name}
          aria-label=${title}><small>${title}</small>${Object.entries(
            facets[name] ?? { [wanted[name]]: 0 },
          ).map(([value, n]) => {
            const on = wanted[name] === value;
            return html`
              <button type="button" key=${value} aria-pressed=${on}
                onClick=${() =>
                  change({ ...wanted, [name]: on ? undefined : value })}>${words[value] ??
                  (name === "line" ? phone(value) : value)} <span class="count">${n >= 1000
                  ? "1000+"
                  : n}</span></button>
            `;
          })}</div>
      `
    )
  }</div>`;
}

function Filters({ wanted, people }) {
  const choice = (name, title, words) =>
    html`<label>${title}<select name=${name}>
      <option value="">${t("any", "tous")}</option>
      ${
      Object.entries(words).map(([value, word]) =>
        html`<option key=${value} value=${value} selected=${
          value === wanted[name]
        }>${word}</option>`
      )
    }
    </select></label>`;
  const field = (name, title, more) =>
    html`<label>${title}<input name=${name} defaultValue=${
      wanted[name] ?? ""
    } ...${more} /></label>`;
  const has = (wanted.has ?? "").split(",");
  const used = Object.keys(wanted).filter((name) => name !== "q" && wanted[name]).length;
  return html`
    <details class="wide" open=${used > 0}>
      <summary>${t("Filters", "Filtres")}${used > 0 && html`
        <span class="count">${used}</span>
      `}</summary>
      <div class="row filters">
          ${field("from", t("From", "Du"), { type: "date" })}
          ${field("to", t("To", "Au"), { type: "date" })}
          ${field("number", t("Number", "Numéro"), {
            inputmode: "tel",
            minlength: 3,
            maxlength: 20,
          })}
          ${choice("direction", t("Direction", "Sens"), DIRECTIONS())}
          ${choice("disposition", t("How it ended", "Issue"), DISPOSITIONS())}
          ${choice(
            "person",
            t("Answered by", "Répondu par"),
            Object.fromEntries((people ?? []).map(({ handle, name }) => [handle, name])),
          )}
          ${field("tag", t("Tag", "Étiquette"), { maxlength: 64 })}
          ${field("min_seconds", t("At least, seconds", "Au moins, secondes"), {
            type: "number",
            min: 0,
            step: 1,
          })}
          ${field("max_seconds", t("At most, seconds", "Au plus, secondes"), {
            type: "number",
            min: 0,
            step: 1,
          })}
          <fieldset class="row"><legend>${t("Has", "Avec")}</legend>${Object.entries(HAS()).map((
            [value, words],
          ) =>
            html`
              <label class="row"
                key=${value}><input type="checkbox" name="has" value=${value} defaultChecked=${has
                  .includes(value)} /> ${words}</label>
            `
          )}</fieldset>
        </div>
    </details>
  `;
}

/** The searches that the person keeps, and the words of which they want to be told. */
function Kept({ wanted }) {
  const saved = useLive(
    () => ask(db.from("saved_searches").select("id, name, query, filters").order("name").limit(50)),
    "saved",
    30_000,
  );
  const alerts = useLive(
    () =>
      ask(
        db.from("search_alerts").select("id, name, query, channel, target").eq(
          "user_id",
          me.user.id,
        ).order("name").limit(50),
      ),
    "alerts",
    30_000,
  );
  const [key, title] = [written(wanted), wanted.q || t("Filters only", "Filtres seulement")];
  const { q = "", ...filters } = wanted;
  const keep = (row) => ask(db.from("saved_searches").insert(row)).then(saved.reload);
  const drop = ({ id }) => ask(db.from("saved_searches").delete().eq("id", id)).then(saved.reload);
  const watch = (row) => ask(db.from("search_alerts").insert(row)).then(alerts.reload);
  const stop = ({ id }) => ask(db.from("search_alerts").delete().eq("id", id)).then(alerts.reload);
  return html`
    <div class="columns">
      <${Card} id="saved" title=${t("Saved searches", "Recherches enregistrées")}>
        <${Rows} of=${saved} empty=${t(
          "None yet. Search, then save.",
          "Aucune. Cherchez, puis enregistrez.",
        )} item=${(row) =>
          html`<li key=${row.id}><a class="grow" href=${`#/search/${
            encodeURIComponent(written({ q: row.query, ...row.filters }))
          }`}>${row.name}</a>
        <${Do} aria-label=${t(`Remove ${row.name}`, `Retirer ${row.name}`)} act=${() =>
            act(
              () => drop(row),
              t("The search is removed.", "Recherche retirée."),
              () => keep({ name: row.name, query: row.query, filters: row.filters }),
            )}>×<//></li>`} />
          ${key &&
            html`<${Form} class="inline" label=${
              t("Save this search", "Enregistrer cette recherche")
            } button=${t("Save", "Enregistrer")} submit=${({ name }) =>
              act(
                () => keep({ name, query: q, filters }),
                t("The search is saved.", "Recherche enregistrée."),
              )}>
        <label>${
              t("Name", "Nom")
            }<input name="name" required maxlength="100" defaultValue=${title} /></label><//>`}
        <//>
        <${Card} id="watched" title=${t("Alerts on words", "Alertes sur des mots")}>
          <p class="note">${t(
            "You get a mail when somebody says, leaves or writes these words.",
            "Vous recevez un courriel quand ces mots sont dits, laissés ou écrits.",
          )}</p>
          <${Rows} of=${alerts} item=${(row) =>
            html`<li key=${row.id}><span class="grow">${row.query}</span><small>${row.channel}: ${row.target}</small>
        <${Do} aria-label=${
              t(`Stop the alert on ${row.query}`, `Arrêter l’alerte sur ${row.query}`)
            } act=${() =>
              act(() => stop(row), t("The alert is off.", "Alerte arrêtée."))}>×<//></li>`} />
          ${may("agent") &&
            html`
              <${Form} class="inline" label=${t("Add an alert", "Ajouter une alerte")} button=${t(
                "Alert me",
                "M’alerter",
              )}
                submit=${async ({ query }, form) => {
                  await watch({
                    name: query.slice(0, 100),
                    query,
                    channel: "mail",
                    target: me.user.email,
                  });
                  form.reset();
                }}><label>${t(
                  "Words",
                  "Mots",
                )}<input name="query" required maxlength="200" autocomplete="off" /></label><//>
            `}
        <//>
      </div>
  `;
}

const download = async (wanted) =>
  saveFile("search.csv", await blobOf(`call-search/export?${written(wanted)}`));

export default function Search({ path: [address = ""] }) {
  const wanted = Object.fromEntries(new URLSearchParams(address));
  const live = useSearch(wanted);
  const people = useLive(
    () => ask(db.from("people").select("handle, name").order("name").limit(200)),
    "people",
    60_000,
  );
  const change = (next) => go(`search/${encodeURIComponent(written(next))}`);
  const submit = (_, form) => {
    const fields = new FormData(form);
    const has = fields.getAll("has").join(",");
    fields.delete("has");
    const { mode, line } = wanted;
    change({ ...Object.fromEntries(fields), has, mode, line });
    return Promise.resolve();
  };
  return html`
    <h1>${t("Search", "Recherche")}</h1>
    <${Form} key=${address} class="card" role="search" label=${t(
      "Search",
      "Recherche",
    )} submit=${submit}>
      <div class="row wide">
        <label class="grow search-box"><span class="hidden">${t(
          "Words, a phrase in quotes, -not, or, part of a number",
          "Mots, une phrase entre guillemets, -sauf, or, partie d’un numéro",
        )}</span><input type="search" name="q" defaultValue=${wanted.q ??
          ""} autocomplete="off" placeholder=${t(
            'refund, "late fee", -waived, 7428',
            "remboursement, « frais », -annulé, 7428",
          )} /></label>
        <button class="primary">${t("Search", "Chercher")}</button>
      </div>
      <${Filters} wanted=${wanted} people=${people.data} />
    <//>
    ${address &&
      html`
        <section class="card" aria-label=${t("Results", "Résultats")}>
          <${Loaded} of=${live}>${({ results, facets, correction, partial, next_cursor }) =>
            html`
              <div class="head">
                <p role="status">${next_cursor
                  ? t(
                    `${results.length} newest and best`,
                    `${results.length} plus récents et meilleurs`,
                  )
                  : count(
                    results.length,
                    t("result", "résultat"),
                    t("results", "résultats"),
                  )}${correction &&
                  html`. ${t("Searched for", "Recherche de")} <b>${correction}</b>`}${partial &&
                  html`. ${
                    t(
                      "There may be more: a time makes it quicker.",
                      "Il peut y en avoir plus : précisez une période.",
                    )
                  }`}</p>
                <${Do} act=${() => act(() => download(wanted))}>${t(
                  "All as CSV",
                  "Tout en CSV",
                )}<//></div>
              <${Facets} facets=${facets} wanted=${wanted} change=${change} />
              ${results.length === 0
                ? html`<p class="note">${
                  t(
                    "Nothing was found. Try fewer words, or no filter.",
                    "Rien n’a été trouvé. Essayez moins de mots, ou sans filtre.",
                  )
                }</p>`
                : html`<ul class="list results">${
                  results.map((row) =>
                    html`<${Result} key=${`${row.kind} ${
                      row.ref ?? row.call_sid
                    } ${row.start_sec}`} row=${row} />`
                  )
                }</ul>`}
              ${next_cursor &&
                html`
                  <p>
                    <${Do} act=${() => live.more(next_cursor)}>${t(
                      "Show more",
                      "En voir plus",
                    )}<//></p>
                `}
            `}<//>
            </section>
      `}
    <${Kept} key=${`kept ${address}`} wanted=${wanted} />
  `;
}
