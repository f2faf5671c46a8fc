/**
 * Which keys there are: the kinds of records, the scope that holds each key, and what may be done with a kind by those who work
 * on records of any kind alike (subscriptions, watches, history, restoring).
 */
export {
  checkPublicKey,
  isPublic,
  type KeyPlace,
  kindsOfPrefix,
  placeOfKey,
  scopeOfPrefix,
} from './keyspace.ts';
