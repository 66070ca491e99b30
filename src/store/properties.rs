//! The properties that leads ask about or offer; leads are loaded with theirs.

use crate::domain::ids::WorkspaceId;
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::json_row::{self, JsonRow};
use crate::domain::facts::Sender;
use crate::domain::state::{Lead, WorkspaceState};

/// Writes the properties of the leads that changed: a row for each lead of the sender that tells of properties, also
/// where this one tells nothing of any.
pub(super) async fn save(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    state: &WorkspaceState,
) -> Result<(), sqlx::Error> {
    let dirty = state.leads.iter().filter(|(_, row)| row.is_dirty());
    let told = dirty.filter(|(key, _)| match key.sender {
        Sender::LeadPro => true,
        Sender::DealerStudio => false,
    });
    let properties: Vec<Value> = told.map(|(_, row)| write(workspace, &row.value)).collect();
    if properties.is_empty() {
        return Ok(());
    }
    save_properties(tx, Value::Array(properties)).await
}

fn write(workspace: WorkspaceId, lead: &Lead) -> Value {
    let mut json_row = JsonRow::new();
    lead.property.visit(&mut json_row::writer(&mut json_row));
    json_row.insert("workspace_id".to_owned(), json!(workspace.get()));
    json_row.insert("lead_id".to_owned(), json!(lead.id.get()));
    json_row.insert("clocks".to_owned(), json_row::versions(&lead.property_versions));
    Value::Object(json_row)
}

/// A property whose times are as they were is left alone: the lead changed, not the property.
async fn save_properties(tx: &mut PgConnection, properties: Value) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into property_enquiries as known
            (workspace_id, lead_id, enquiry_type, stage, address, postcode, advert_address, advert_postcode,
            advert_url, advert_image, bedrooms, property_type, property_reference, international,
            appointment_availability, questionnaire, comparable_properties, average_sale_estimation,
            minimum_sale_estimation, maximum_sale_estimation, average_rent_estimation, minimum_rent_estimation,
            maximum_rent_estimation, office_id, office_name, account_id, account_name, referred_by_office_id,
            referred_by_office_name, referred_by_account_id, referred_by_account_name, parent_external_id, host,
            gdpr_checkbox, clocks)
        select
            workspace_id, lead_id, enquiry_type, stage, address, postcode, advert_address, advert_postcode,
            advert_url, advert_image, bedrooms, property_type, property_reference, international,
            appointment_availability, questionnaire, comparable_properties, average_sale_estimation,
            minimum_sale_estimation, maximum_sale_estimation, average_rent_estimation, minimum_rent_estimation,
            maximum_rent_estimation, office_id, office_name, account_id, account_name, referred_by_office_id,
            referred_by_office_name, referred_by_account_id, referred_by_account_name, parent_external_id, host,
            gdpr_checkbox, clocks
        from jsonb_populate_recordset(null::property_enquiries, $1)
        on conflict (workspace_id, lead_id) do update set
            enquiry_type = excluded.enquiry_type, stage = excluded.stage, address = excluded.address,
            postcode = excluded.postcode, advert_address = excluded.advert_address,
            advert_postcode = excluded.advert_postcode, advert_url = excluded.advert_url,
            advert_image = excluded.advert_image, bedrooms = excluded.bedrooms,
            property_type = excluded.property_type, property_reference = excluded.property_reference,
            international = excluded.international, appointment_availability = excluded.appointment_availability,
            questionnaire = excluded.questionnaire, comparable_properties = excluded.comparable_properties,
            average_sale_estimation = excluded.average_sale_estimation,
            minimum_sale_estimation = excluded.minimum_sale_estimation,
            maximum_sale_estimation = excluded.maximum_sale_estimation,
            average_rent_estimation = excluded.average_rent_estimation,
            minimum_rent_estimation = excluded.minimum_rent_estimation,
            maximum_rent_estimation = excluded.maximum_rent_estimation, office_id = excluded.office_id,
            office_name = excluded.office_name, account_id = excluded.account_id,
            account_name = excluded.account_name, referred_by_office_id = excluded.referred_by_office_id,
            referred_by_office_name = excluded.referred_by_office_name,
            referred_by_account_id = excluded.referred_by_account_id,
            referred_by_account_name = excluded.referred_by_account_name,
            parent_external_id = excluded.parent_external_id, host = excluded.host,
            gdpr_checkbox = excluded.gdpr_checkbox, clocks = excluded.clocks
        where known.clocks is distinct from excluded.clocks",
        properties,
    )
    .execute(tx)
    .await?;
    Ok(())
}
