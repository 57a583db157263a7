from workspaces.api.fields import ObjectIdApiField
from workspaces.api.strict import QuerySerializer


class ExportQuery(QuerySerializer):
    batchId = ObjectIdApiField()
