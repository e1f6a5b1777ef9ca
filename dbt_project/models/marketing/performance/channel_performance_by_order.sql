{{ performance_dated_by('order') }}
