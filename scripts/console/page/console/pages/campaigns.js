/** Calling a list of people who agreed to it: create, take in the list, run, watch. */
import { db, may, me } from "../session.js";
import { ALL, ask, askSome, blobOf, call, useLive } from "../data.js";
import { count, number, phone, t } from "../words.js";
import {
  act,
  Card,
  Dialog,
  Do,
  Form,
  go,
  html,
  Loaded,
  Page,
  Rows,
  Table,
  Time,
  useMore,
  useState,
} from "../parts.js";
import { csvRecords, csvSlices } from "../csv.js";
import { e164 } from "./people.js";

export default function Campaigns({ path: [id] }) {
  return id ? html`<${Campaign} key=${id} id=${id} />` : html`<${List} />`;
}

const MODES = () => ({
  broadcast: [
    t("Calls lead into a flow", "Les appels mènent à un scénario"),
    t(
      "Everybody who answers hears the flow: a recorded or artificial voice, so each person must have agreed in writing.",
      "Chacun entend le scénario : une voix enregistrée, donc un accord écrit de chacun est exigé.",
    ),
  ],
  progressive: [
    t("Calls for your people, one for each who is free", "Un appel par personne libre"),
    t(
      "A number is dialled only while one of your people is free to talk.",
      "Un numéro n’est composé que si une personne est libre pour parler.",
    ),
  ],
  predictive: [
    t("Calls for your people, ahead of time", "Des appels en avance sur vos personnes"),
    t(
      "More numbers are dialled than people are free, as far as at most 2.5 % of answers find nobody.",
      "Plus de numéros que de personnes libres, tant qu’au plus 2,5 % des réponses ne trouvent personne.",
    ),
  ],
  preview: [
    t("One at a time, when you ask for it", "Un à la fois, à la demande"),
    t("Nobody is dialled until you press “Dial the next”.", "Rien n’est composé sans votre clic."),
  ],
});
const CONSENTS = () => ({
  express_written: t("They agreed in writing", "Accord écrit"),
  existing_business: t("They are customers", "Ce sont des clients"),
  none_needed: t("The law asks for none", "La loi n’en exige pas"),
});
const MACHINES = () => ({
  hang_up: t("hang up", "raccrocher"),
  message: t("leave the message", "laisser le message"),
  flow: t("go on with the flow", "continuer le scénario"),
});
const STATES = () => ({
  draft: t("not started", "pas commencée"),
  running: t("running", "en cours"),
  paused: t("paused", "en pause"),
  stopping: t("stopping", "s’arrête"),
  done: t("ended", "terminée"),
});
const BECAUSE = () => ({
  budget: t("The minutes are used up.", "Les minutes sont épuisées."),
  failures: t("Too many dials failed.", "Trop d’appels ont échoué."),
  credentials: t("Twilio refused the credentials.", "Twilio a refusé les identifiants."),
  concurrency: t(
    "Twilio carries no more calls at once.",
    "Twilio n’accepte pas plus d’appels simultanés.",
  ),
  account: t("Twilio refused the account.", "Twilio a refusé le compte."),
});

/** What is kept, whatever is asked for. */
const Rules = () =>
  html`
    <ul class="small">
      <li>${t(
        "People are called in the hours that their own place allows, such as 8:00 to 21:00 in the United States.",
        "On appelle aux heures permises là où la personne se trouve.",
      )}</li>
      <li>${t(
        "A number is dialled once in 24 hours and three times in 7 days at most, over all campaigns.",
        "Un numéro est composé au plus une fois en 24 heures et trois fois en 7 jours, toutes campagnes confondues.",
      )}</li>
      <li>${t(
        "Each call begins with who calls and how to stop. Who says stop is never dialled again.",
        "Chaque appel dit qui appelle et comment ne plus être appelé. Un refus vaut pour toujours.",
      )}</li>
      <li>${t(
        "What cannot be called is rejected when the list is taken in, line by line, with the reason.",
        "Ce qui ne peut être appelé est refusé à l’importation, ligne par ligne.",
      )}</li>
    </ul>
  `;

function List() {
  const [limit, more] = useMore(30);
  const live = useLive(
    async () => {
      const { rows, total } = await askSome(
        db.from("campaigns").select("id, name, mode, state, created_at", ALL)
          .order("created_at", { ascending: false }).limit(limit),
      );
      const figures = rows.length === 0 ? [] : await ask(
        db.from("campaign_live").select("campaign_id, contacts, waiting, answered")
          .in("campaign_id", rows.map(({ id }) => id)),
      );
      return {
        rows: rows.map((row) => ({
          ...row,
          ...figures.find(({ campaign_id }) => campaign_id === row.id),
        })),
        total,
      };
    },
    "campaigns",
    undefined,
    limit,
  );
  return html`
    <${Page} title=${t("Campaigns", "Campagnes")}>
      <${Rows} of=${live} more=${more} empty=${t(
        "No campaign yet. A campaign calls people who agreed to it: publish a flow that they will hear, then create one below.",
        "Aucune campagne. Publiez le scénario que les personnes entendront, puis créez une campagne ci-dessous.",
      )} item=${(row) =>
        html`<li key=${row.id}><a class="grow" href=${`#/campaigns/${row.id}`}>${row.name}</a>
      <span class=${`tag ${{ running: "good", paused: "warn" }[row.state] ?? ""}`}>${
          STATES()[row.state]
        }</span>
      <small>${number(row.contacts ?? 0)} ${t("contacts", "contacts")}, ${
          number(row.waiting ?? 0)
        } ${t("waiting", "en attente")}</small></li>`} />
    <//>
    ${may("admin") && html`<${Create} />`}
    <${Stops} />
  `;
}

function Create() {
  const [mode, setMode] = useState("broadcast");
  const [consent, setConsent] = useState("express_written");
  const known = useLive(
    async () => {
      const [flows, pointers, lines] = await Promise.all([
        ask(db.from("call_flows").select("id, name").order("name")),
        ask(db.from("call_flow_pointers").select("flow_id")),
        ask(db.from("lines").select("line").order("line")),
      ]);
      const published = new Set(pointers.map(({ flow_id }) => flow_id));
      return {
        flows: flows.filter(({ id }) => published.has(id)).map(({ name }) => name),
        lines: lines.map(({ line }) => line),
      };
    },
    "known",
    30_000,
  );
  const live = known.data ?? { flows: [], lines: [] };
  const recorded = mode === "broadcast";
  const submit = async (fields) => {
    const whole = (text) => text === "" ? undefined : Number(text);
    const days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    const { id } = await call("campaigns", {
      body: {
        name: fields.name.trim(),
        org_id: me.org_id,
        mode,
        flow: fields.flow,
        caller_numbers: fields.numbers.split(/[,;\n]/).map((each) => each.trim()).filter(Boolean)
          .map(e164),
        calls_per_second: Number(fields.rate),
        max_concurrent: Number(fields.most),
        machine: fields.machine,
        consent,
        attempts: { max: Number(fields.tries) },
        max_minutes: whole(fields.minutes),
        ...(fields.from && fields.until && {
          window: Object.fromEntries(
            days.filter((_, at) => fields.weekend === "on" || at < 5)
              .map((day) => [day, [[fields.from, fields.until]]]),
          ),
        }),
      },
    });
    go(`campaigns/${id}`);
  };
  return html`<${Card} id="new" title=${t("New campaign", "Nouvelle campagne")}>
    ${
    known.data && live.flows.length === 0
      ? html`<p class="note">${
        t("First publish a flow that people will hear: ", "Publiez d’abord un scénario : ")
      }<a href="#/flows">${t("Flows", "Scénarios")}</a>.</p>`
      : html`
        <${Form} label=${t("New campaign", "Nouvelle campagne")} button=${t(
          "Create",
          "Créer",
        )} submit=${submit}>
          <div class="row">
            <label>${t(
              "Name",
              "Nom",
            )}<input name="name" required maxlength="200" autocomplete="off" /></label>
            <label>${t("What it does", "Ce qu’elle fait")}<select value=${mode} onChange=${(
              event,
            ) => setMode(event.target.value)}>${Object.entries(MODES()).map(([each, [words]]) =>
              html`<option key=${each} value=${each}>${words}</option>`
            )}</select></label>
            <label>${t("Flow", "Scénario")}<select name="flow" required aria-label=${t(
              "Flow",
              "Scénario",
            )}>${live.flows.map((name) =>
              html`<option key=${name} value=${name}>${name}</option>`
            )}</select></label>
            <label>${t("Consent", "Accord")}<select value=${consent} onChange=${(event) =>
              setConsent(event.target.value)}>${Object.entries(CONSENTS()).map(([each, words]) =>
                html`<option key=${each} value=${each} disabled=${
                  recorded && each === "existing_business"
                }>${words}</option>`
              )}</select></label>
            <label>${t("An answering machine", "Un répondeur")}<select name="machine">${Object
              .entries(MACHINES()).map(([each, words]) =>
                html`<option key=${each} value=${each} disabled=${
                  consent === "existing_business" && each !== "hang_up"
                }>${words}</option>`
              )}</select></label>
          </div>
          <p class="small">${MODES()[mode][1]}</p>
          <label
            class="wide">${t(
              "Numbers that people see",
              "Numéros affichés",
            )}<input class="wide" name="numbers" required autocomplete="off" key=${live.lines
              .join()} defaultValue=${live.lines.map(phone).join(", ")} /></label>
          <div class="row">
            <label>${t(
              "Calls a second",
              "Appels par seconde",
            )}<input name="rate" type="number" min="0.01" max="1000" step="any" defaultValue="1" required /></label>
            <label>${t(
              "Calls at once",
              "Appels simultanés",
            )}<input name="most" type="number" min="1" max="100000" defaultValue="10" required /></label>
            <label>${t(
              "Dials a person",
              "Essais par personne",
            )}<input name="tries" type="number" min="1" max="10" defaultValue="3" required /></label>
            <label>${t(
              "Most minutes of talk",
              "Minutes au plus",
            )}<input name="minutes" type="number" min="1" placeholder=${t(
              "no limit",
              "sans limite",
            )} /></label>
            <label>${t("Not before", "Pas avant")}<input name="from" type="time" /></label>
            <label>${t("Not after", "Pas après")}<input name="until" type="time" /></label>
            <label class="row"><input type="checkbox" name="weekend" /> ${t(
              "Saturday and Sunday too",
              "Aussi samedi et dimanche",
            )}</label>
          </div>
          <p class="small">${t(
            "Hours are those of the called person’s place; they narrow the law’s and never widen them.",
            "Les heures sont celles de la personne appelée ; elles restreignent celles de la loi.",
          )}</p>
          <${Rules} />
          <//>
      `
  }
  <//>`;
}

/** The one list of those who said stop. */
function Stops() {
  const [limit, more] = useMore(10);
  const live = useLive(
    () =>
      askSome(
        db.from("suppressions").select("id, e164, source, created_at", ALL)
          .order("created_at", { ascending: false }).limit(limit),
      ),
    "stops",
    10_000,
    limit,
  );
  return html`<${Card} id="stops" title=${
    t("Never called", "Jamais appelés")
  } n=${live.data?.total}>
    <${Rows} of=${live} more=${more} empty=${
    t(
      "Nobody has said stop. Who says it by key, word, text or mail stands here at once.",
      "Personne n’a refusé. Un refus par touche, mot, texto ou courriel apparaît ici aussitôt.",
    )
  } item=${(row) =>
    html`
      <li
        key=${row.id}><span class="grow">${phone(row.e164)}</span> <small>${row.source.replaceAll(
          "_",
          " ",
        )}, <${Time} at=${row.created_at} /></small></li>
    `} />
    ${
    may("admin") && html`
      <${Form} class="inline" label=${t(
        "Never call a number",
        "Ne jamais appeler un numéro",
      )} button=${t("Never call it", "Ne jamais l’appeler")}
        submit=${async ({ number }, form) => {
          await ask(
            db.from("suppressions").insert({
              org_id: me.org_id,
              e164: e164(number),
              source: "operator",
            }),
          );
          form.reset();
          await live.reload();
        }}><label>${t(
          "Number",
          "Numéro",
        )}<input name="number" required inputmode="tel" placeholder="+1 403 555 0123" autocomplete="off" /></label><//>
    `
  }
  <//>`;
}

const FIGURES = () => [
  ["contacts", t("Contacts", "Contacts")],
  ["waiting", t("Waiting", "En attente")],
  ["ringing", t("Ringing or talking", "Sonne ou parle")],
  ["dialled", t("Dials made", "Appels composés")],
  ["answered", t("Answered", "Répondu")],
  ["machine", t("Machines", "Répondeurs")],
  ["busy", t("Busy", "Occupé")],
  ["no_answer", t("No answer", "Sans réponse")],
  ["failed", t("Failed", "Échecs")],
  ["opted_out", t("Said stop", "Ont refusé")],
  ["suppressed", t("Never called", "Jamais appelés")],
  ["abandoned", t("Found nobody free", "Personne de libre")],
  ["unknown", t("Outcome not known yet", "Issue encore inconnue")],
  ["minutes", t("Minutes of talk", "Minutes de conversation")],
];

function Campaign({ id }) {
  const live = useLive(async () => {
    const [[campaign], [figures], lines, compliance] = await Promise.all([
      ask(
        db.from("campaigns").select(
          "id, name, mode, flow, state, paused_because, calls_per_second, max_concurrent, window_hours, attempts, machine, consent, max_minutes, starts_at, started_at, ended_at",
        ).eq("id", id),
      ),
      ask(db.from("campaign_live").select().eq("campaign_id", id)),
      ask(db.from("campaign_lines").select("line, dialled, per_day").eq("campaign_id", id)),
      ask(
        db.from("campaign_compliance").select("day, dials, answered, machine, abandoned_pct")
          .eq("campaign_id", id).order("day", { ascending: false }).limit(14),
      ),
    ]);
    return { campaign, figures, lines, compliance };
  }, id);
  return html`<${Loaded} of=${live}>${(data) =>
    data.campaign
      ? html`<${One} ...${data} reload=${live.reload} />`
      : html`<p class="note">${
        t("There is no such campaign.", "Cette campagne n’existe pas.")
      }</p>`}<//>`;
}

function One({ campaign, figures, lines, compliance, reload }) {
  const { id, state } = campaign;
  const [stopping, setStopping] = useState(false);
  const tell = (command) => call(`campaigns/${id}/${command}`, { body: {} }).then(reload);
  const open = figures.waiting + figures.ringing + figures.unknown;
  const results = async () => {
    const link = document.createElement("a");
    link.href = await blobOf(`campaigns/${id}/results`);
    link.download = `${campaign.name}.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  };
  const buttons = {
    draft: [["start", t("Start", "Commencer"), t("It runs.", "Elle est en cours."), "pause"]],
    running: [["pause", t("Pause", "Pause"), t("It is paused.", "Elle est en pause."), "resume"]],
    paused: [["resume", t("Resume", "Reprendre"), t("It runs again.", "Elle reprend."), "pause"]],
  }[state] ?? [];
  return html`
    <div class="head">
      <h1>${campaign.name}</h1>
      ${may("admin") && html`<div class="row"><span class="tag">${STATES()[state]}</span>
        ${
        buttons.map(([command, words, done, back]) =>
          html`<${Do} key=${command} kind="primary" act=${() =>
            act(() => tell(command), done, () => tell(back))}>${words}<//>`
        )
      }
        ${
        state === "running" && campaign.mode === "preview" &&
        html`<${Do} act=${() =>
          act(() => tell("dial"), t("The next is dialled.", "Le suivant est composé."))}>${
          t("Dial the next", "Composer le suivant")
        }<//>`
      }
        ${
        ["draft", "running", "paused"].includes(state) &&
        html`<button type="button" class="danger" onClick=${() => setStopping(true)}>${
          t("Stop for good", "Arrêter pour de bon")
        }</button>`
      }
        <${Do} act=${() => act(results)}>${t("Results as CSV", "Résultats en CSV")}<//></div>`}
    </div>
    ${stopping && html`
      <${Dialog} title=${t("Stop this campaign", "Arrêter cette campagne")} close=${() =>
        setStopping(false)}>
        <p>${t(
          "What rings is ended, talks go on, and nobody else is called. It cannot be started again; to interrupt it, pause it.",
          "Ce qui sonne est coupé, les conversations continuent, plus personne n’est appelé. C’est définitif ; sinon, mettez en pause.",
        )}</p>
        <p>
          <${Do} kind="danger" act=${() =>
            act(async () => {
              await tell("stop");
              setStopping(false);
            }, t("It is stopped.", "Elle est arrêtée."))}>${t(
              "Stop for good",
              "Arrêter pour de bon",
            )}<//></p><//>
    `}
    ${campaign.paused_because &&
      html`<p class="note bad" role="alert">${BECAUSE()[campaign.paused_because]}</p>`}
    <div class="columns">
      <${Card} id="live" title=${t("Now", "En ce moment")}>
        ${figures.contacts === 0
          ? html`<p class="note">${
            t("No contacts yet: take in a list.", "Aucun contact : importez une liste.")
          }</p>`
          : html`<progress class="wide" max=${figures.contacts} value=${
            figures.contacts - open
          } aria-label=${t("Contacts that are done with", "Contacts traités")}></progress>`}
        <dl class="facts">${FIGURES().map(([figure, words]) =>
          html`
            <dt key=${figure}>${words}</dt>
            <dd>${number(figures[figure])}</dd>
          `
        )}</dl>
      <//>
      ${may("admin") && ["draft", "running", "paused"].includes(state) &&
        html`<${Import} id=${id} reload=${reload} />`}
      <${Card} id="rules" title=${t("Rules", "Règles")}>
        <dl class="facts">
          <dt>${t("What it does", "Ce qu’elle fait")}</dt><dd>${MODES()[campaign.mode][0]}</dd>
          <dt>${t("Flow", "Scénario")}</dt><dd><a href=${`#/flows/${
            encodeURIComponent(campaign.flow)
          }`}>${campaign.flow}</a></dd>
          <dt>${t("Consent", "Accord")}</dt><dd>${CONSENTS()[campaign.consent]}</dd>
          <dt>${t(
            "An answering machine",
            "Un répondeur",
          )}</dt><dd>${MACHINES()[campaign.machine]}</dd>
          <dt>${t("Rate", "Débit")}</dt><dd>${t(
            `${campaign.calls_per_second} a second, ${campaign.max_concurrent} at once`,
            `${campaign.calls_per_second} par seconde, ${campaign.max_concurrent} à la fois`,
          )}</dd>
          <dt>${t("Dials a person", "Essais par personne")}</dt><dd>${t(
            `at most ${campaign.attempts.max}`,
            `au plus ${campaign.attempts.max}`,
          )}</dd>
          <dt>${t("Most minutes of talk", "Minutes au plus")}</dt><dd>${campaign.max_minutes ??
            t("no limit", "sans limite")}</dd>
          <dt>${t("Numbers that people see", "Numéros affichés")}</dt><dd>${lines.map((
            { line, dialled, per_day },
          ) =>
            html`<div key=${line}>${phone(line)} <small>${
              t(`${dialled} of ${per_day} today`, `${dialled} sur ${per_day} aujourd’hui`)
            }</small></div>`
          )}</dd>
        </dl>
        <${Rules} />
      <//>
      ${compliance.length > 0 && html`
        <${Card} id="days" title=${t("By day", "Par jour")}>
          <${Table} id="days" columns=${[
            [t("Day", "Jour"), ({ day }) => day],
            [t("Dials", "Appels"), ({ dials }) => number(dials), true],
            [t("Answered", "Répondu"), ({ answered }) => number(answered), true],
            [
              t("Not connected in 2 s", "Non reliés en 2 s"),
              ({ abandoned_pct }) => `${abandoned_pct ?? 0} %`,
              true,
            ],
          ]} rows=${compliance} />
          <//>
      `}
    </div>
  `;
}

/** Of one request. */
const SLICE = { lines: 5_000, characters: 1_000_000 };

/** Takes in a list in slices: first a look at it, then each slice with what was rejected and why. */
function Import({ id, reload }) {
  const [list, setList] = useState();
  const [done, setDone] = useState();
  const look = async (file) => {
    const text = await file.text();
    const [head, ...rows] = csvRecords(text);
    const columns = (head?.cells ?? []).map((title) => title.trim().toLowerCase());
    const at = columns.indexOf("phone");
    const doubtful = rows.filter(({ cells }) => (cells[at] ?? "").replace(/\D/g, "").length < 8);
    setDone();
    setList({ name: file.name, text, rows, columns, at, doubtful });
  };
  const take = () =>
    act(async () => {
      const sum = { lines: 0, added: 0, duplicates: 0, suppressed: 0, rejected: [] };
      for (const slice of csvSlices(list.text, SLICE)) {
        const body = new Blob([slice.text], { type: "text/csv" });
        // One after the other, so that an interrupted file can be taken in again from the beginning.
        // deno-lint-ignore no-await-in-loop
        const answer = await call(`campaigns/${id}/contacts`, { body });
        sum.rejected.push(
          ...answer.rejected.map(({ line, reason }) => ({ line: slice.lineOf(line), reason })),
        );
        for (const figure of ["added", "duplicates", "suppressed"]) sum[figure] += answer[figure];
        sum.lines += slice.count;
        setDone({ ...sum });
      }
      await reload();
    });
  return html`<${Card} id="import" title=${t("Take in a list", "Importer une liste")}>
    <p class="note">${
    t(
      "A CSV file with the column phone and, where known, name, zone, postal_code, consent_at, consent_source. The same file again adds nothing.",
      "Un fichier CSV avec la colonne phone et, si connus, name, zone, postal_code, consent_at, consent_source. Le même fichier n’ajoute rien.",
    )
  }</p>
    <label>${t("File", "Fichier")}<input type="file" accept=".csv,text/csv" onChange=${(event) => {
    const [file] = event.target.files;
    if (file) act(() => look(file));
  }} /></label>
    ${
    list && (list.at < 0
      ? html`<p class="bad" role="alert">${
        t(
          `The first line of ${list.name} names no column phone.`,
          `La première ligne de ${list.name} ne nomme pas de colonne phone.`,
        )
      }</p>`
      : html`
        <div class="scroll" tabindex="0" role="region" aria-label=${t(
          "The beginning of the list",
          "Le début de la liste",
        )}>
          <table>
            <thead>
              <tr>${list.columns.map((title, i) => html`<th key=${i}>${title}</th>`)}</tr>
            </thead>
            <tbody>${list.rows.slice(0, 5).map(({ cells, line }) =>
              html`<tr key=${line}>${cells.map((cell, i) => html`<td key=${i}>${cell}</td>`)}</tr>`
            )}</tbody>
          </table>
        </div>
        ${list.doubtful.length > 0 && html`<p class="bad">${
          t(
            `${number(list.doubtful.length)} lines have no whole number: ${
              list.doubtful.slice(0, 5).map(({ line }) => line).join(", ")
            }${list.doubtful.length > 5 ? "…" : ""}. They will be rejected.`,
            `${number(list.doubtful.length)} lignes sans numéro entier : ${
              list.doubtful.slice(0, 5).map(({ line }) => line).join(", ")
            }${list.doubtful.length > 5 ? "…" : ""}. Elles seront refusées.`,
          )
        }</p>`}
        <p>
          <${Do} kind="primary" act=${take}>${t(
            `Take in ${number(list.rows.length)} lines`,
            `Importer ${number(list.rows.length)} lignes`,
          )}<//></p>
      `)
  }
    ${
    done && html`
      <div
        role="status"><progress class="wide" max=${list.rows.length} value=${done
          .lines} aria-label=${t("Lines taken in", "Lignes importées")}></progress>
            <p>${t(
              `${number(done.added)} added, ${number(done.duplicates)} known already, ${
                number(done.suppressed)
              } never called, ${count(done.rejected.length, "line rejected", "lines rejected")}.`,
              `${number(done.added)} ajoutés, ${number(done.duplicates)} déjà connus, ${
                number(done.suppressed)
              } jamais appelés, ${
                count(done.rejected.length, "ligne refusée", "lignes refusées")
              }.`,
            )}</p></div>
            ${done.rejected.length > 0 && html`<${Table} id="import" columns=${[
              [t("Line", "Ligne"), ({ line }) => line, true],
              [t("Why", "Pourquoi"), ({ reason }) => reason],
            ]} rows=${done.rejected.slice(0, 100)} />`}
    `
  }
  <//>`;
}
