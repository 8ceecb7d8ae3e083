DELETE FROM jobs WHERE kind = 'fields.reapply' AND created_by = 'upgrade';
