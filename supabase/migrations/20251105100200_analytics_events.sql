-- Events for operators.

create table public.analytics_events (
  id bigint generated always as identity primary key,
  event_type text not null constraint analytics_events_type_form check (event_type ~ '^[a-z][a-z0-9_.]{0,63}$'),
  event_data jsonb not null default '{}' constraint analytics_events_data_object check (jsonb_typeof(event_data) = 'object'),
  severity text not null default 'info'
    constraint analytics_events_severity_known check (severity in ('debug', 'info', 'warning', 'error', 'critical')),
  created_at timestamptz not null default clock_timestamp()
);

create index analytics_events_created_idx on public.analytics_events (created_at);
create index analytics_events_errors_idx on public.analytics_events (created_at desc)
  where severity in ('error', 'critical');

alter table public.analytics_events enable row level security;
create policy analytics_events_of_the_service on public.analytics_events
  for select to service_role using (true);
create policy analytics_events_for_monitoring on public.analytics_events for select to monitoring using (true);
create policy analytics_events_of_the_installation on public.analytics_events
  for select to authenticated using ((select public.runs_installation()));

-- Records an event for operators. p_event_data holds no personal data.
create function public.record_analytics_event(p_event_type text, p_severity text, p_event_data jsonb default '{}')
returns void
language sql volatile set search_path = ''
begin atomic
  insert into public.analytics_events (event_type, severity, event_data)
  values (p_event_type, p_severity, p_event_data);
end;

grant select, insert on public.analytics_events to service_role;
grant select (event_type, event_data, severity, created_at) on public.analytics_events to authenticated;
grant select (event_type, severity, created_at) on public.analytics_events to monitoring;
grant execute on function public.record_analytics_event to service_role;
