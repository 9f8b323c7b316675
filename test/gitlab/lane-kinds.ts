import type { LaneKind } from '../support/gitlab/lanes.js';

/** Which kinds of `gitlab:` entries there are for scenarios, and how many of each run at once. */
export const LANE_KINDS: { kinds: Record<string, LaneKind> } = {
  kinds: {
    usual: { count: 8 },
    /** Its logs are cut at 16 KiB. */
    'short-log': { count: 1, settings: { outputLimit: '16KiB' } },
  },
};
