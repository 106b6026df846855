-- Alerts: which fire, and which messages were sent.

-- Each alert. A new one is a row here and a branch in alert_status; see "Adding an alert" in docs/monitoring.md.
-- `comparison` says when it fires, `summary` what is wrong. With fewer calls or requests than `minimum` it has no value.
-- It recovers after `close_after_minutes` without firing, so a value around the threshold is one alert.
create table public.alert_rules (
  alert text primary key constraint alert_rules_alert_form check (alert ~ '^[a-z][a-z_]{0,63}$'),
  severity text not null constraint alert_rules_severity_known check (severity in ('critical', 'warning')),
  comparison text not null constraint alert_rules_comparison_known check (comparison in ('above', 'below', 'at_least')),
  threshold numeric not null,
  -- 0: what is now, not what happened lately.
  window_minutes integer not null constraint alert_rules_window_range check (window_minutes between 0 and 60),
  minimum integer not null default 0 constraint alert_rules_minimum_range check (minimum >= 0),
  close_after_minutes integer not null default 10
    constraint alert_rules_close_after_range check (close_after_minutes between 0 and 1440),
  unit text not null,
  summary text not null,
  action text not null
);

comment on table public.alert_rules is 'The alerts and their thresholds; an operator may change threshold, window_minutes, minimum and close_after_minutes.';

alter table public.alert_rules enable row level security;
create policy alert_rules_for_operators on public.alert_rules for select to service_role, monitoring using (true);

insert into public.alert_rules
  (alert, severity, comparison, threshold, window_minutes, minimum, unit, summary, action)
values
  ('system_unhealthy', 'critical', 'at_least', 5, 5, 0, 'minutes',
   'The health check fails', 'Run `deno task doctor`: it names the check and what to do.'),
  ('call_success_rate', 'critical', 'below', 90, 30, 20, '%',
   'Too few callers reach a person or voicemail', 'Look at call_hangups and destination_performance, then place a call.'),
  ('call_concurrency', 'critical', 'above', 0, 60, 0, 'calls',
   'Twilio refuses calls, as the account has too many at once', 'Get the account''s business profile approved at Twilio, or its limit raised.'),
  ('function_errors', 'critical', 'above', 5, 1, 0, 'errors a minute',
   'Functions fail', 'Look at webhook_performance and the functions'' logs, level error; roll back if a deploy came before it.'),
  ('database_failures', 'critical', 'above', 0, 5, 0, 'webhooks',
   'Webhooks do not reach the database', 'Callers are served without recording. Look at the database''s load and connections.'),
  ('tenant_lookups', 'critical', 'above', 0, 10, 0, 'failures',
   'Organisations'' accounts or tokens cannot be looked up', 'Look at recent_errors, event types tenant_...: the runbook says what each means.'),
  ('error_rate', 'critical', 'above', 5, 5, 20, '%',
   'Too many requests fail', 'Look at webhook_performance for the function and at its logs.'),
  ('response_time', 'warning', 'above', 2, 1, 20, 'seconds',
   'One request in twenty takes too long', 'Compare avg_ms with avg_database_ms in webhook_performance: the database, or the functions.'),
  ('database_connections', 'warning', 'above', 80, 0, 0, '%',
   'Too many of the database''s connections are in use', 'End idle sessions, or raise the connection limit.'),
  ('voicemail_backlog', 'warning', 'above', 10, 0, 0, 'messages',
   'Voicemails wait for a person', 'Listen, call back, and mark each as handled.'),
  ('rate_limit_violations', 'warning', 'above', 50, 60, 0, 'refusals',
   'The rate limit refuses many calls', 'Look at rate_limit_violations: one caller, or many.'),
  ('mail_ceiling', 'warning', 'above', 0, 60, 0, 'refusals',
   'Website messages or mails reach an hourly ceiling', 'Look at rate_limit_violations, type everyone: contact-submit refuses visitors (MAX_CONTACT_MESSAGES_PER_HOUR), notify-worker has mails wait (MAX_MAILS_PER_HOUR). Look at contact_messages: a flood, or a good day.'),
  ('jobs_dead', 'warning', 'above', 0, 60, 0, 'jobs',
   'Work was given up', 'Look at jobs_dead: last_error says why. `select retry_dead_jobs(id)` tries one again.'),
  ('dialled_minutes', 'critical', 'above', 80, 0, 0, '%',
   'A line forwards calls for almost as long as it may in a day', 'Look at dialled_time and destination_performance: toll fraud, or a busy line. Beyond MAX_DIALLED_MINUTES_PER_DAY its callers reach voicemail.'),
  ('onboarding_stuck', 'warning', 'above', 0, 0, 0, 'onboardings',
   'An onboarding or a release is neither finished nor undone for an hour', 'Look at telephony_transactions: steps_completed says what may be paid for at Twilio, error_message what is in the way.'),
  ('failed_transactions', 'warning', 'above', 5, 60, 0, 'transactions',
   'Onboarding fails', 'Look at failed_transactions: error_message says why.'),
  ('agent_providers', 'critical', 'above', 0, 0, 0, 'providers',
   'A provider of language models fails', 'Look at agent_provider_health, and at the provider''s own status page. Talks go on with the other models of their agents.'),
  ('agent_talks', 'critical', 'above', 50, 60, 3, '%',
   'Talks with AI agents fail', 'Look at agent_calls: reason says why. After five in a row a line''s agent is not offered, and callers take its edge failed.'),
  ('agent_handoffs', 'warning', 'above', 50, 60, 5, '%',
   'Callers whom agents transfer reach no person', 'Look at agent_handoffs: result says why. Are people available, and their telephones on?'),
  ('campaign_paused', 'warning', 'above', 0, 0, 0, 'campaigns',
   'A campaign has paused itself', 'Look at campaign_live: paused_because says why. It dials nobody until a person resumes or stops it.'),
  ('campaign_abandonment', 'critical', 'above', 3, 0, 50, '%',
   'A campaign''s answers found nobody more often than the rules allow', 'Pause it: `task campaign pause ID`. Look at campaign_compliance, have more people free, or call progressively.'),
  ('campaign_dialler_late', 'critical', 'above', 2, 0, 0, 'minutes',
   'Campaigns run, and the dialler does not', 'Look at worker_runs and campaign-dialler''s log: is it called each 5 seconds, and does it fail?'),
  ('average_call_duration', 'warning', 'above', 15, 60, 20, 'minutes',
   'Calls last long on average', 'Look at active_calls: lines that are not hung up cost money.'),
  -- Each is asked about some 20 minutes after its end; Twilio keeps what it knows for 30 days.
  ('calls_unsettled', 'warning', 'above', 20, 60, 0, 'calls',
   'What callbacks did not bring is not fetched from Twilio', 'Look at voice-reconcile''s log: asked, failed, backed_off. Is TWILIO_ACCOUNT_SID set?'),
  -- What was promised to be erased, and is not: recordings of erased calls that Twilio still has a day later, and
  -- records of calls, which it may keep for 14 days, after 15.
  ('recordings_undeleted', 'warning', 'above', 0, 0, 0, 'recordings',
   'Recordings or records of erased calls are still at Twilio', 'Run `deno task forget --pending`: it says what Twilio answers.');

-- From an alert's first firing to its end. At most one is open for each alert.
create table public.alert_episodes (
  id bigint generated always as identity primary key,
  alert text not null references public.alert_rules (alert),
  severity text not null,
  threshold numeric not null,
  opened_at timestamptz not null default now(),
  opened_value numeric not null,
  closed_at timestamptz,
  -- Null: it ended because there was no longer enough to judge by.
  closed_value numeric,
  -- Since when it has not fired; null while it fires.
  quiet_since timestamptz,
  -- When messages about it were put down; null: too many had been in that hour.
  told_at timestamptz,
  constraint alert_episodes_times_in_order check (closed_at >= opened_at)
);

comment on table public.alert_episodes is 'When each alert fired and recovered.';

create unique index alert_episodes_open_idx on public.alert_episodes (alert) where closed_at is null;
create index alert_episodes_alert_idx on public.alert_episodes (alert, opened_at desc);

alter table public.alert_episodes enable row level security;
create policy alert_episodes_for_operators on public.alert_episodes for select to service_role, monitoring using (true);

-- What an alert measures, in words: "81 %, should be at least 90 %".
create function public.alert_measured(p_value numeric, p_unit text, p_comparison text, p_threshold numeric) returns text
language sql immutable set search_path = ''
begin atomic
  select concat(
    case when p_value is null then 'too little to judge by' else trim_scale(p_value) || ' '
      || case when p_value = 1 then regexp_replace(p_unit, 's\M', '') else p_unit end end,
    case p_comparison when 'above' then ', should be at most ' when 'below' then ', should be at least '
      else ', should be less than ' end,
    trim_scale(p_threshold), ' ',
    case when p_threshold = 1 then regexp_replace(p_unit, 's\M', '') else p_unit end
  );
end;

-- A window of function_metrics reaches one minute further back than it says: the current minute has only begun.
create view public.alert_status with (security_invoker = true) as
select
  r.alert, r.severity, v.value, r.threshold, r.window_minutes,
  coalesce(
    case r.comparison
      when 'above' then v.value > r.threshold
      when 'below' then v.value < r.threshold
      else v.value >= r.threshold
    end,
    false
  ) as firing,
  r.unit, r.summary, r.action,
  public.alert_measured(v.value, r.unit, r.comparison, r.threshold) as measured
from public.alert_rules as r
cross join lateral (
  select make_interval(mins => r.window_minutes) as span, make_interval(mins => r.window_minutes + 1) as minutes
) as w
cross join lateral (
  select case r.alert
    when 'system_unhealthy' then (
      -- How long ago the first of the failures was that no success has followed.
      select case when max(h.checked_at) > now() - w.span then
        coalesce(round(extract(epoch from now() - min(h.checked_at) filter (
          where h.checked_at > coalesce(
            (select max(ok.checked_at) from public.health_checks as ok where ok.healthy), '-infinity'
          )
        )) / 60, 2), 0)
      end
      from public.health_checks as h where h.checked_at > now() - interval '1 day'
    )
    when 'call_concurrency' then (
      -- Twilio's count of the last hour, when it was last asked.
      select h.refused_calls from public.health_checks as h
      where h.refused_calls is not null and h.checked_at > now() - interval '10 minutes'
      order by h.checked_at desc limit 1
    )
    when 'call_success_rate' then (
      select s.success_rate_pct from public.call_success(now() - w.span) as s
      where s.completed_calls + s.failed_calls >= r.minimum
    )
    when 'average_call_duration' then (
      select round(s.avg_call_duration_sec / 60, 2) from public.call_success(now() - w.span) as s
      where s.completed_calls + s.failed_calls >= r.minimum
    )
    when 'function_errors' then (
      select max(m.errors) from (
        select sum(errors) as errors from public.function_metrics
        where minute > now() - w.minutes and minute > now() - interval '2 hours'
        group by minute
      ) as m
    )
    when 'database_failures' then (
      select sum(database_failures) from public.function_metrics
      where minute > now() - w.minutes and minute > now() - interval '2 hours'
    )
    when 'tenant_lookups' then (
      select count(*) from public.analytics_events
      where created_at > now() - w.span and severity = 'error' and event_type like 'tenant\_%'
    )
    when 'error_rate' then (
      select round(100.0 * sum(errors) / nullif(sum(requests), 0), 2) from public.function_metrics
      where minute > now() - w.minutes and minute > now() - interval '2 hours'
      having sum(requests) >= r.minimum
    )
    when 'response_time' then (
      select round(public.latency_quantile(0.95, array[
        sum(le_50), sum(le_100), sum(le_250), sum(le_500), sum(le_1000), sum(le_2000), sum(le_5000), sum(requests)
      ]) / 1000, 3)
      from public.function_metrics
      where minute > now() - w.minutes and minute > now() - interval '2 hours'
      having sum(requests) >= r.minimum
    )
    when 'database_connections' then (
      select round(100.0 * c.used / c.allowed, 2) from public.database_connections() as c
    )
    when 'voicemail_backlog' then (
      select count(*) from public.recordings where source = 'voicemail' and handled_at is null and deleted_at is null
    )
    when 'rate_limit_violations' then (
      select coalesce(sum(refusals), 0) from public.rate_limit_refusals
      where minute > now() - w.span and minute > now() - interval '2 hours' and identifier_type <> 'everyone'
    )
    when 'mail_ceiling' then (
      select coalesce(sum(refusals), 0) from public.rate_limit_refusals
      where minute > now() - w.span and minute > now() - interval '2 hours' and identifier_type = 'everyone'
    )
    when 'jobs_dead' then (
      select count(*) from public.jobs
      where status = 'dead' and ended_at > now() - w.span and ended_at > now() - interval '2 hours'
    )
    when 'dialled_minutes' then (
      -- Conversations that go on count in full, as they do for the ceiling.
      select coalesce(max(round(100.0 * (d.seconds + d.open * d.leg_sec) / d.ceiling_sec, 2)), 0) from public.dialled_time as d
      where d.day = (now() at time zone 'UTC')::date
    )
    when 'onboarding_stuck' then (
      select count(*) from public.telephony_transactions
      where status in ('in_progress', 'failed') and started_at < now() - interval '1 hour'
    )
    when 'failed_transactions' then (
      select count(*) from public.telephony_transactions
      where status in ('failed', 'rolled_back')
        and completed_at > now() - w.span and completed_at > now() - interval '2 hours'
    )
    when 'agent_providers' then (
      select count(*) from public.agent_providers where rests_until > now()
    )
    when 'agent_talks' then (
      select round(100.0 * count(*) filter (where s.outcome = 'failed') / nullif(count(*), 0), 2)
      from public.agent_sessions as s
      where s.ended_at > now() - w.span and s.outcome <> 'resume'
      having count(*) >= r.minimum
    )
    when 'agent_handoffs' then (
      select round(100.0 * count(*) filter (where c.connected_at is null) / nullif(count(*), 0), 2)
      from public.agent_sessions as s join public.call_logs as c on c.call_sid = s.call_sid
      where s.ended_at > now() - w.span and (s.outcome = 'operator' or s.outcome like 'departments.%')
        and c.disposition is not null
      having count(*) >= r.minimum
    )
    when 'campaign_paused' then (
      select count(*) from public.campaigns where state = 'paused' and paused_because is not null
    )
    when 'campaign_abandonment' then (
      -- Of the campaigns that run, in 30 days, where rules bound it. Those connected late are not in it: see campaign_compliance.
      select max(m.pct) from (
        select round(100.0 * count(*) filter (where d.result = 'abandoned') / count(*), 2) as pct
        from public.campaigns as c join public.campaign_dials as d on d.campaign_id = c.id
        where c.state = 'running' and c.mode in ('progressive', 'predictive') and d.dialled_at > now() - interval '30 days'
          and d.rules in ('US', 'UK') and d.result in ('answered', 'abandoned')
        group by c.id having count(*) >= r.minimum
      ) as m
    )
    when 'campaign_dialler_late' then (
      select round(extract(epoch from now() - greatest(
        min(c.running_since), (select max(w.last_ok_at) from public.worker_runs as w where w.worker = 'campaign-dialler')
      )) / 60, 2)
      from public.campaigns as c where c.state = 'running'
    )
    when 'calls_unsettled' then (
      select count(*) from public.call_logs where incomplete and ended_at < now() - w.span
    )
    when 'recordings_undeleted' then (
      select count(*) from public.jobs
      where kind = 'twilio_deletion' and ended_at is null
        and created_at < now() - case when key like 'RE%' then interval '1 day' else interval '15 days' end
    )
  end as value
) as v
order by r.severity, r.alert;

comment on view public.alert_status is 'The state of every alert. With too little data (alert_rules.minimum) value is null and the alert does not fire. response_time is the 95th percentile in seconds; system_unhealthy is how long voice-health has failed.';

create view public.alert_history with (security_invoker = true) as
select
  e.id, e.alert, e.severity, e.threshold, e.opened_at, e.opened_value, e.closed_at, e.closed_value,
  (
    select count(*) from public.jobs as j
    where j.kind in ('alert_pagerduty', 'alert_slack', 'mail_alert') and j.status <> 'done'
      and j.key in (format('alert/%s/fired', e.id), format('alert/%s/recovered', e.id))
  ) as undelivered
from public.alert_episodes as e
where e.closed_at is null or e.closed_at > now() - interval '30 days'
order by e.opened_at desc;

comment on view public.alert_history is 'Open alerts, and those that ended in the last 30 days; undelivered: messages that their channel has not accepted.';

-- Opens an episode for each alert that began to fire, closes that of each that has not fired for close_after_minutes,
-- and enqueues one message for each channel: p_channels are kinds of jobs, such as mail_alert.
-- Of one alert at most three episodes an hour are told, with their ends: one more waits until the hour allows it, and
-- is dropped if it is over by then. Returns what changed. Safe to run twice at once: the runs take turns, and one of
-- them finds nothing changed.
create function public.evaluate_alerts(p_channels text[] default '{}')
returns table (episode_id bigint, alert text, transition text)
language plpgsql volatile set search_path = ''
as $$
declare
  v_opened bigint[];
  v_closed bigint[];
  v_told bigint[];
begin
  perform pg_advisory_xact_lock(hashtextextended('evaluate_alerts', 0));

  with status as materialized (
    select s.alert, s.severity, s.value, s.threshold, s.firing, r.close_after_minutes
    from public.alert_status as s join public.alert_rules as r on r.alert = s.alert
  ), opened as (
    insert into public.alert_episodes as e (alert, severity, threshold, opened_value)
    select s.alert, s.severity, s.threshold, s.value from status as s where s.firing
    on conflict do nothing
    returning e.id
  ), seen as (
    update public.alert_episodes as e set quiet_since = q.since, closed_at = q.closed_at,
      closed_value = case when q.closed_at is not null then q.value end
    from (
      select s.alert, s.value, s.since,
        case when s.since <= now() - make_interval(mins => s.close_after_minutes) then now() end as closed_at
      from (
        select s.*, case when not s.firing then coalesce(o.quiet_since, now()) end as since
        from status as s join public.alert_episodes as o on o.alert = s.alert and o.closed_at is null
      ) as s
    ) as q
    where e.alert = q.alert and e.closed_at is null
    returning e.id, e.closed_at
  )
  select (select array_agg(o.id) from opened as o), (select array_agg(s.id) from seen as s where s.closed_at is not null)
  into v_opened, v_closed;

  with told as (
    update public.alert_episodes as e set told_at = now()
    where e.closed_at is null and e.quiet_since is null and e.told_at is null
      and (
        select count(*) from public.alert_episodes as t
        where t.alert = e.alert and t.told_at > now() - interval '1 hour'
      ) < 3
    returning e.id
  )
  select array_agg(t.id) into v_told from told as t;

  return query
  with message as (
    select e.*, m.transition
    from public.alert_episodes as e
    cross join lateral (
      select 'fired' as transition where e.id = any (v_told)
      union all
      select 'recovered' where e.id = any (v_closed) and e.told_at is not null
    ) as m
  ), enqueued as (
    insert into public.jobs (kind, priority, key, payload)
    select
      k.kind, k.priority, format('alert/%s/%s', m.id, m.transition),
      -- The message describes this moment, whenever it is sent.
      jsonb_build_object(
        'episode_id', m.id, 'transition', m.transition, 'alert', m.alert, 'severity', m.severity,
        'summary', r.summary, 'action', r.action, 'unit', r.unit, 'value', v.value, 'threshold', m.threshold,
        'measured', public.alert_measured(v.value, r.unit, r.comparison, m.threshold),
        'opened_at', m.opened_at, 'closed_at', m.closed_at
      )
    from message as m
    join public.alert_rules as r on r.alert = m.alert
    join public.job_kinds as k on k.kind = any (p_channels)
    cross join lateral (
      select case m.transition when 'fired' then m.opened_value else m.closed_value end as value
    ) as v
    -- Only critical alerts page people.
    where k.kind <> 'alert_pagerduty' or m.severity = 'critical'
    order by m.id
  )
  select c.id, e.alert, c.transition
  from (
    select unnest(v_opened) as id, 'fired' as transition union all select unnest(v_closed), 'recovered'
  ) as c
  join public.alert_episodes as e on e.id = c.id
  order by c.id;
end
$$;

-- What alert-dispatch begins with: what voice-health and Twilio said is kept, and the alerts are evaluated. p_healthy null: nobody could ask. p_refused_calls: calls that Twilio
-- refused in the last hour as the account had too many at once; null: not known.
create function public.run_alerts(
  p_healthy boolean, p_failing text[], p_channels text[], p_refused_calls integer default null
) returns jsonb
language plpgsql volatile set search_path = ''
as $$
declare
  v_changed jsonb;
begin
  if p_healthy is not null then
    insert into public.health_checks (healthy, failing, refused_calls)
    values (p_healthy, coalesce(p_failing, '{}'), p_refused_calls)
    on conflict do nothing;
  end if;
  select coalesce(jsonb_agg(to_jsonb(c)), '[]') into v_changed from public.evaluate_alerts(p_channels) as c;
  perform public.purge_monitoring(1000);
  return jsonb_build_object(
    'changed', v_changed,
    'firing', (select count(*) from public.alert_episodes where closed_at is null)
  );
end
$$;

-- Deletes expired rows, at most p_batch of each kind.
create function public.purge_monitoring(p_batch integer default 1000) returns void
language sql volatile set search_path = ''
begin atomic
  delete from public.function_metrics as m using (
    select minute, function from public.function_metrics
    where minute < now() - interval '30 days' order by minute limit p_batch for update skip locked
  ) as old where (m.minute, m.function) = (old.minute, old.function);
  delete from public.health_checks as h using (
    select checked_at from public.health_checks
    where checked_at < now() - interval '7 days' order by checked_at limit p_batch for update skip locked
  ) as old where h.checked_at = old.checked_at;
  delete from public.alert_episodes as e using (
    select id from public.alert_episodes
    where closed_at < now() - interval '365 days' order by id limit p_batch for update skip locked
  ) as old where e.id = old.id;
end;

-- Alerts are about the whole installation, which the main account runs.
create policy alert_rules_of_the_main_account on public.alert_rules
  for select to authenticated using ((select public.current_owner()) = '00000000-0000-0000-0000-000000000000');
create policy alert_episodes_of_the_main_account on public.alert_episodes
  for select to authenticated using ((select public.current_owner()) = '00000000-0000-0000-0000-000000000000');
grant select on public.alert_rules, public.alert_episodes to authenticated;
grant select on public.alert_rules, public.alert_status, public.alert_history to service_role, monitoring;
grant select, insert, update, delete on public.alert_episodes to service_role;
grant select on public.alert_episodes to monitoring;
grant update (threshold, window_minutes, minimum, close_after_minutes) on public.alert_rules to service_role;
grant execute on function
  public.alert_measured, public.evaluate_alerts, public.run_alerts,
  public.purge_monitoring
  to service_role;
grant execute on function public.alert_measured to monitoring;
