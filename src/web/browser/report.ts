import type { MetricsDocument } from '../../metrics/document.js';
import { drawGraphs } from './graphs/draw.js';
import { localTimes } from './local-time.js';

// The page of `holdfast metrics --html`: everything is in the file itself.
const root = document.querySelector<HTMLElement>('#graphs');
const data = document.querySelector('#document')?.textContent;
localTimes(document);
if (root !== null && data !== undefined) drawGraphs(root, JSON.parse(data) as MetricsDocument);
