    <p class="small text-muted mb-0">LemonLDAP::NG</p>
