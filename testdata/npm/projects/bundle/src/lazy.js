import escape from 'escape-html'
import ids from 'spdx-license-ids'

export const licenses = wanted => ids.filter(id => id.startsWith(wanted)).map(id => escape(id)).join()
