import { liveDeps } from "../_shared/deps.ts";
import { createHandler, onboardDeps } from "./handler.ts";

Deno.serve(createHandler(onboardDeps(liveDeps())));
