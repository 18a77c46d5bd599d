/** What the service does again and again: a job of these that waits is nothing that was left. */
export const recurringJobs = [
  ...['purge', 'sweep', 'scrub', 'retire-user-keys', 'end-emergencies', 'raise-alerts'],
  'tidy-logins',
] as const
