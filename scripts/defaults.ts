// What the local stack is where nothing else is set.

/** Signs users' tokens; the one that every local Supabase has. */
export const LOCAL_JWT_SECRET = "super-secret-jwt-token-with-at-least-32-characters-long";
export const LOCAL_AUTH_TOKEN = "local-auth-token";
/** The main account of the local stand-in for Twilio's REST API. */
export const LOCAL_ACCOUNT_SID = "AC00000000000000000000000010ca1000";
/** In the data directory, while that stand-in runs: its address. */
export const TWILIO_URL_FILE = "twilio.url";
export const LOCAL_SECRET_KEY = "sb_secret_local";
export const LOCAL_PUBLISHABLE_KEY = "sb_publishable_local";
/** The main account's owner, who can sign in to the console from the start. */
export const LOCAL_OWNER = { email: "owner@example.com", password: "tradeline" };
