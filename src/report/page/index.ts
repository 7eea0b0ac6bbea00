// SPDX-License-Identifier: Apache-2.0
export { pageHtml } from './page.js';
