-- What the functions never delete, they may not delete: deliveries go with their episode and sums with their hour (by
-- foreign keys), and numbers and sub-accounts stay.
revoke delete on
  public.alert_deliveries, public.call_hours, public.telephony_numbers, public.telephony_subaccounts
  from service_role;
