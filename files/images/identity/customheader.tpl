    <p class="h4 text-center my-4"><a class="text-dark" href="/archive/"><TMPL_VAR NAME="archive"></a></p>
