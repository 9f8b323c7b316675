// Writes deploy/grafana/*.json: npx tsx scripts/dashboards/write.ts
import { writeFileSync } from 'node:fs';
import { fleet } from './fleet.js';
import { job } from './job.js';
import { toGrafana } from './panels.js';

for (const dashboard of [fleet, job]) {
  const file = `deploy/grafana/${dashboard.uid}.json`;
  writeFileSync(file, `${JSON.stringify(toGrafana(dashboard), null, 2)}\n`);
  console.log(file);
}
