/** What Skerry exchanges with other registries. So far the gossip registry's list of nodes, which they read and push to. */
export {
  announcementSchema,
  fromGossipList,
  type GossipEntry,
  gossipListSchema,
  toGossipList,
} from './gossip-entry.ts';
export { GossipRegistry } from './gossip-registry.ts';
