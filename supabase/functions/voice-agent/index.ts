import { liveAgentDeps } from "./deps.ts";
import { createHandler } from "./handler.ts";

Deno.serve(createHandler(liveAgentDeps()));
