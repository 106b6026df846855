/** What people tell a campaign to do. */
export const CAMPAIGN_COMMANDS = ["start", "pause", "resume", "stop"] as const;
export type CampaignCommand = typeof CAMPAIGN_COMMANDS[number];
