/**
 * Elections: of the candidates for a name one leads at a time. Leading is a record that is attached to a session lease
 * (shared/records/leases/session-leases.ts); the revision of its grant is the fencing token.
 */
export {
  type Candidacy,
  type ElectionAddress,
  Elections,
  isNotLed,
  type Leadership,
  leadsNoMore,
} from './elections.ts';
