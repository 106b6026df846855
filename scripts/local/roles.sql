-- The parts of a new Supabase project that are used here, before its first migration. Existing objects are left alone: a
-- hosted project has all of them, and its `postgres`, which is not a superuser, cannot change them.
-- Source: https://github.com/supabase/postgres/tree/develop/migrations/db

do $$
declare
  wanted record;
begin
  for wanted in
    select * from (values
      ('postgres', 'login createdb createrole replication bypassrls password ''postgres'''),
      ('anon', 'nologin noinherit'),
      ('authenticated', 'nologin noinherit'),
      ('service_role', 'nologin noinherit bypassrls'),
      ('authenticator', 'login noinherit password ''postgres''')
    ) as roles(name, attributes)
    where not exists (select from pg_roles where rolname = roles.name)
  loop
    begin
      execute format('create role %I %s', wanted.name, wanted.attributes);
    exception
      -- Roles belong to the cluster, so another database, even at this moment, may have made it.
      when duplicate_object or unique_violation then null;
    end;
  end loop;
end;
$$;

do $$
begin
  if not pg_has_role('authenticator', 'service_role', 'member') then
    grant anon, authenticated, service_role to authenticator;
    alter role authenticator set statement_timeout = '8s';
    alter role authenticator set lock_timeout = '8s';
    alter role postgres set search_path = "$user", public, extensions;
  end if;
  if not pg_has_role('postgres', 'service_role', 'member') then
    grant anon, authenticated, service_role to postgres with admin option;
    grant pg_monitor, pg_read_all_data, pg_signal_backend to postgres;
    -- Hosted, the extension supautils allows it: https://github.com/supabase/supautils (privileged_role_allowed_configs)
    grant set on parameter session_replication_role to postgres;
  end if;
exception
  when unique_violation or sqlstate 'XX000' then null; -- Another database was just quicker.
end;
$$;

do $$
begin
  -- Usage only: since 30 October 2026 new tables have no grants, and each migration grants.
  -- PUBLIC has it too, so it is looked for by name.
  if not exists (
    select from pg_namespace, aclexplode(nspacl) as acl
    where nspname = 'public' and acl.grantee = 'service_role'::regrole and acl.privilege_type = 'USAGE'
  ) then
    grant usage on schema public to anon, authenticated, service_role;
  end if;

  if to_regnamespace('extensions') is null then
    create schema extensions;
    grant usage on schema extensions to anon, authenticated, service_role;
    grant all on schema extensions to postgres;
  end if;
  create extension if not exists pgcrypto with schema extensions;
  create extension if not exists "uuid-ossp" with schema extensions;

  if to_regnamespace('auth') is null then
    create schema auth;
    grant usage on schema auth to postgres, anon, authenticated, service_role;
  end if;
end;
$$;

do $$
begin
  if to_regprocedure('auth.jwt()') is null then
    create function auth.jwt() returns jsonb
      language sql stable
      return coalesce(
        nullif(current_setting('request.jwt.claim', true), ''),
        nullif(current_setting('request.jwt.claims', true), '')
      )::jsonb;
  end if;

  if to_regprocedure('auth.uid()') is null then
    create function auth.uid() returns uuid
      language sql stable
      return coalesce(
        nullif(current_setting('request.jwt.claim.sub', true), ''),
        nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'
      )::uuid;
  end if;

  if to_regprocedure('auth.role()') is null then
    create function auth.role() returns text
      language sql stable
      return coalesce(
        nullif(current_setting('request.jwt.claim.role', true), ''),
        nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role'
      );
  end if;
end;
$$;

-- Of Supabase Auth's tables: what the schema reads, and what the local stand-in keeps (scripts/local/auth_api.ts).
-- Source: https://github.com/supabase/auth/tree/master/migrations
do $$
begin
  if to_regclass('auth.users') is null then
    create table auth.users (
      id uuid primary key default gen_random_uuid(),
      email varchar(255) unique,
      encrypted_password varchar(255),
      email_confirmed_at timestamptz,
      invited_at timestamptz,
      last_sign_in_at timestamptz,
      raw_app_meta_data jsonb not null default '{"provider": "email", "providers": ["email"]}',
      raw_user_meta_data jsonb not null default '{}',
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now()
    );
    create table auth.sessions (
      id uuid primary key default gen_random_uuid(),
      user_id uuid not null references auth.users (id) on delete cascade,
      aal text not null default 'aal1',
      amr jsonb not null default '[]',
      created_at timestamptz not null default now()
    );
    create table auth.refresh_tokens (
      id bigint generated always as identity primary key,
      token varchar(255) not null unique,
      session_id uuid not null references auth.sessions (id) on delete cascade,
      -- The one that it was exchanged for.
      parent varchar(255),
      revoked boolean not null default false,
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now()
    );
    create table auth.one_time_tokens (
      token_hash text primary key,
      user_id uuid not null references auth.users (id) on delete cascade,
      token_type text not null,
      -- Of the PKCE flow: the hash of the verifier that the asking browser keeps.
      code_challenge text,
      created_at timestamptz not null default now()
    );
    create table auth.mfa_factors (
      id uuid primary key default gen_random_uuid(),
      user_id uuid not null references auth.users (id) on delete cascade,
      friendly_name text,
      factor_type text not null default 'totp',
      status text not null default 'unverified',
      secret text not null,
      last_counter bigint,
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now()
    );
    create table auth.mfa_challenges (
      id uuid primary key default gen_random_uuid(),
      factor_id uuid not null references auth.mfa_factors (id) on delete cascade,
      created_at timestamptz not null default now()
    );
    grant all on all tables in schema auth to postgres;
    grant all on all sequences in schema auth to postgres;
  end if;
end;
$$;
