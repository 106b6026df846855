-- How long personal data is kept. docs/privacy.md has the reasons.

create table public.retention_rules (
  subject text primary key
    constraint retention_rules_known check (subject in (
      'calls', 'voicemails', 'contact_messages', 'dead_jobs', 'analytics_events', 'consent_evidence', 'erasures',
      'search_history', 'campaign_dials'
    )),
  days integer not null constraint retention_rules_days_range check (days between 1 and 3650),
  why text not null constraint retention_rules_why_length check (length(why) between 1 and 300)
);

comment on table public.retention_rules is 'Days that each kind of record is kept. An operator may change days; voice-reconcile enforces them each minute.';

alter table public.retention_rules enable row level security;
create policy retention_rules_of_the_service on public.retention_rules for select to service_role using (true);

insert into public.retention_rules (subject, days, why) values
  ('calls', 90, 'Calls, and what was said or pressed in them: long enough to answer a question about a bill or a complaint. Their other events, which name nobody, go with the month they were received in.'),
  ('voicemails', 90, 'Calls that left a message, with its transcript: until it has been handled, and no longer than other calls.'),
  ('contact_messages', 365, 'What visitors of the website wrote, and the mails about it.'),
  ('dead_jobs', 90, 'Mails and other work that was given up; what was done is gone after 30 days anyway.'),
  ('analytics_events', 365, 'Operators'' events, which hold nothing personal. The deploy log stays.'),
  ('consent_evidence', 730, 'That somebody agreed to be recorded, or did not, and to which words: two years, the time in which a claim can be made.'),
  ('search_history', 365, 'How many searches there were and how they went; their words go after 30 days.'),
  ('campaign_dials', 1826, 'The record of each dial of a campaign, which names nobody: five years, as the rules of the United States ask.'),
  ('erasures', 730, 'That something was erased, and when: as long as somebody may ask.');

grant select on public.retention_rules to service_role;
grant update (days) on public.retention_rules to service_role;
