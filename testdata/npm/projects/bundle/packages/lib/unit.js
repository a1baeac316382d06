export const unit = ' minutes'
