{{ performance_dated_by('touch') }}
