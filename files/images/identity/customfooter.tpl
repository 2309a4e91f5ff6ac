    <footer class="small text-muted">LemonLDAP::NG</footer>
