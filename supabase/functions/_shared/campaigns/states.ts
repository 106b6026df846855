/** What people tell a campaign to do; `dial`: the next dial of a preview. */
export const CAMPAIGN_COMMANDS = ["start", "pause", "resume", "stop", "dial"] as const;
export type CampaignCommand = typeof CAMPAIGN_COMMANDS[number];
