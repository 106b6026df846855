import type { Flow } from "../../supabase/functions/_shared/flows/language.ts";

export const SALES = "+15875550111";

/** A bookshop whose line is answered by an agent. */
export const AGENT_FLOW: Flow = {
  schema: 1,
  zone: "America/Edmonton",
  languages: ["en-US"],
  start: "desk",
  operator: "reception",
  prompts: {
    sales: { "en-US": "Connecting you to sales." },
    leave: { "en-US": "Please leave a message after the tone." },
    bye: { "en-US": "Thank you for calling." },
  },
  agents: { desk: { business: "Riverside Books", instructions: "Be brief." } },
  nodes: {
    desk: {
      type: "agent",
      agent: "desk",
      mode: "assistant",
      departments: { sales: "sales" },
      message: "note",
      done: "bye",
      failed: "note",
    },
    sales: {
      type: "ring",
      to: SALES,
      prompt: "sales",
      mode: "sales",
      answered: "bye",
      unanswered: "note",
    },
    reception: {
      type: "ring",
      to: "+15875550112",
      mode: "reception",
      answered: "bye",
      unanswered: "note",
    },
    note: { type: "voicemail", prompt: "leave", mode: "voicemail", next: "bye" },
    bye: { type: "end", prompt: "bye" },
  },
};
