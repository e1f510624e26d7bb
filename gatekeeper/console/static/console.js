"use strict";
// The console works without scripts. With them: parts of pages are loaded in place, figures move, charts are drawn.
