/** Who signs in, and as what: invite, change, remove; and what they did. */
import { db, may, me } from "../session.js";
import { ask, useLive } from "../data.js";
import { t } from "../words.js";
import { act, Card, Do, Form, html, Loaded, Page, Rows, Table, Time } from "../parts.js";

export const ROLES = () => [
  ["viewer", t("viewer: reads", "lecteur : consulte")],
  ["agent", t("agent: works on calls", "agent : traite les appels")],
  ["admin", t("admin: people, flows, members", "administrateur : personnes, scénarios, membres")],
  ["owner", t("owner: everything", "propriétaire : tout")],
];
const RANK = ["viewer", "agent", "admin", "owner"];
/** Nobody gives or takes a role above the own one. */
const mine = () => ROLES().filter(([role]) => RANK.indexOf(role) <= RANK.indexOf(me.role));

export default function Members() {
  const live = useLive(
    () =>
      ask(
        db.from("members").select("id, user_id, email, name, role, invited_at, joined_at").order(
          "email",
        ),
      ),
    "members",
  );
  const change = (id, values) =>
    ask(db.from("members").update(values).eq("id", id)).then(live.reload);
  return html`
    <${Page} title=${t("Members", "Membres")}>
      <${Rows} of=${live} item=${(member) => {
        const own = member.user_id === me.user.id;
        // Not one's own: that could not be taken back.
        const may_change = !own && may("admin") &&
          RANK.indexOf(member.role) <= RANK.indexOf(me.role);
        return html`<li key=${member.id}>
        <div class="grow"><strong>${member.name ?? member.email}</strong> ${
          member.name && html`<small>${member.email}</small>`
        }
          ${own && html`<span class="tag">${t("you", "vous")}</span>`}
          ${
          !member.joined_at &&
          html`<span class="tag warn">${
            t("invited", "invité")
          } <${Time} at=${member.invited_at} /></span>`
        }</div>
        ${
          may_change
            ? html`<select aria-label=${
              t(`Role of ${member.email}`, `Rôle de ${member.email}`)
            } value=${member.role} onChange=${(event) => {
              const role = event.target.value;
              act(
                () => change(member.id, { role }),
                t("The role is changed.", "Rôle modifié."),
                () => change(member.id, { role: member.role }),
              ).then((done) => done || (event.target.value = member.role));
            }}>${
              mine().map(([role, words]) =>
                html`<option key=${role} value=${role}>${words}</option>`
              )
            }</select>`
            : html`<span class="tag">${ROLES().find(([role]) => role === member.role)[1]}</span>`
        }
        ${
          may_change &&
          html`<${Do} aria-label=${
            t(`Remove ${member.email}`, `Retirer ${member.email}`)
          } act=${() =>
            act(
              () => ask(db.from("members").delete().eq("id", member.id)).then(live.reload),
              t(`${member.email} is removed.`, `${member.email} est retiré.`),
              () =>
                ask(
                  db.from("members").insert({
                    email: member.email,
                    name: member.name,
                    role: member.role,
                  }),
                ).then(live.reload),
            )}>${t("Remove", "Retirer")}<//>`
        }
      </li>`;
      }} />
    <//>
      ${may("admin") && html`
        <${Card} id="invite" title=${t("Invite", "Inviter")}>
          <${Form} class="inline" label=${t("Invite", "Inviter")} button=${t(
            "Invite",
            "Inviter",
          )} submit=${async ({ email, name, role }, form) => {
            await ask(db.from("members").insert({ email, name: name || null, role }));
            form.reset();
            await live.reload();
          }}>
            <label>${t(
              "E-mail",
              "Courriel",
            )}<input name="email" type="email" required autocomplete="off" /></label>
            <label>${t(
              "Name",
              "Nom",
            )}<input name="name" maxlength="200" autocomplete="off" /></label>
            <label>${t("Role", "Rôle")}<select name="role">${mine().map(([role, words]) =>
              html`<option key=${role} value=${role}>${words}</option>`
            )}</select></label>
            <//>
            <p class="small">${t(
              "A mail with a link follows within a minute.",
              "Un courriel avec un lien suit en moins d’une minute.",
            )}</p>
            <//>
            <${Audit} members=${live.data ?? []} />
      `}
  `;
}

/** Tables as people call what is in them. */
const OBJECTS = {
  agent_questions: "question",
  calendar_overrides: "ouverture à la main",
  call_flow_pointers: "version d’un scénario",
  call_flows: "brouillon d’un scénario",
  call_logs: "appel",
  call_notes: "note",
  call_tags: "étiquette",
  callbacks: "rappel",
  campaigns: "campagne",
  contacts: "contact",
  jobs: "tâche",
  knowledge_entries: "réponse",
  members: "membre",
  people: "personne",
  prompts: "annonce",
  voicemail_steps: "message vocal",
};

function Audit({ members }) {
  const live = useLive(
    () =>
      ask(
        db.from("audit_log").select("id, at, user_id, action, object, changes").order("at", {
          ascending: false,
        }).order("id", { ascending: false }).limit(30),
      ),
    "audit",
    10_000,
  );
  const acts = {
    insert: t("added", "ajouté"),
    update: t("changed", "modifié"),
    delete: t("removed", "retiré"),
  };
  const who = (id) => {
    const member = members.find(({ user_id }) => user_id === id);
    return member?.name ?? member?.email ?? t("a former member", "un ancien membre");
  };
  const details = (changes) =>
    Object.entries(changes).filter(([name]) =>
      !["id", "owner", "org_id", "updated_at", "created_at"].includes(name)
    )
      .map(([name, values]) =>
        values
          ? `${name}: ${[values[0], values[1]].map((value) => value ?? "–").join(" → ")}`
          : name
      ).join(", ");
  return html`
    <${Card} id="audit" title=${t("What people did", "Journal")}>
      <${Loaded} of=${live} empty=${t("Nothing yet.", "Rien encore.")}>${(rows) =>
        html`<${Table} id="audit" rows=${rows} columns=${[
          [t("When", "Quand"), ({ at }) => html`<${Time} at=${at} />`],
          [t("Who", "Qui"), (row) => who(row.user_id)],
          [t("What", "Quoi"), (row) =>
            t(
              `${acts[row.action]} ${row.object.replaceAll("_", " ")}`,
              `${OBJECTS[row.object] ?? row.object} : ${acts[row.action]}`,
            )],
          ["", (row) => html`<small>${details(row.changes)}</small>`],
        ]} />`}<//>
      <//>
  `;
}
